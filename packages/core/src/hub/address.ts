/** What people write for a model that is to be downloaded. */
import { GemmaError } from '../errors.ts'
import { checkPath, isSafePath } from './safe-name.ts'

/** A repository of the hub, or one file or folder in it. */
export interface HubAddress {
  readonly kind: 'hub'
  /** owner/name */
  readonly repository: string
  /** A branch, a tag or a commit; undefined: `main`. */
  readonly revision?: string
  /** Of a file or folder in the repository. */
  readonly path?: string
}

/** One file anywhere. */
export interface WebAddress {
  readonly kind: 'web'
  readonly url: string
  readonly fileName: string
}

export type ModelAddress = HubAddress | WebAddress

export function isHubAddress(address: string): boolean {
  return /^hf:/i.test(address)
}

const forms = 'Write hf:owner/repository, hf:owner/repository/file.gguf or hf:owner/repository@revision/file.gguf.'

/** `hf:owner/repository[@revision][/path]` or an http(s) address. @throws GemmaError `invalid-argument` */
export function parseAddress(model: string | URL): ModelAddress {
  const address = typeof model === 'string' ? model : model.href
  return isHubAddress(address) ? parseHub(address) : parseWeb(address)
}

function parseHub(address: string): HubAddress {
  const [, owner, name, revision, path] = /^hf:(?:\/\/)?([^/@]+)\/([^/@]+)(?:@([^/]*))?(?:\/(.*))?$/i.exec(address) ?? []
  if (owner === undefined || name === undefined) throw new GemmaError('invalid-argument', `${address} names no repository of the hub. ${forms}`)
  // https://huggingface.co/docs/hub/repositories-getting-started: letters, digits, - _ . in both
  if (![owner, name].every((part) => /^[\w.-]{1,96}$/.test(part) && isSafePath(part))) throw new GemmaError('invalid-argument', `${address}: ${owner}/${name} is no name of a repository. ${forms}`)
  const named = revision === undefined ? undefined : decoded(revision, address)
  // oxlint-disable-next-line no-control-regex
  if (named !== undefined && (named === '' || named.length > 200 || /[\u0000-\u0020\u007f]/.test(named) || named.includes('..'))) throw new GemmaError('invalid-argument', `${address}: the revision after @ is none. ${forms}`)
  const inside = path?.replace(/\/$/, '') ?? ''
  return {
    kind: 'hub',
    repository: `${owner}/${name}`,
    ...(named !== undefined && { revision: named }),
    ...(inside !== '' && { path: checkPath(inside, address) }),
  }
}

function parseWeb(address: string): WebAddress {
  if (!/^https?:/i.test(address) || !URL.canParse(address)) throw new GemmaError('invalid-argument', `${address} cannot be downloaded. ${forms} An https address of a .gguf file can be downloaded too.`)
  const url = new URL(address)
  if (url.username !== '' || url.password !== '') throw new GemmaError('invalid-argument', `The address on ${url.host} has a user name or a password in it, which cannot be sent that way. Leave them out.`)
  url.hash = ''
  const fileName = decoded(url.pathname.replace(/^.*\//, ''), address)
  if (!fileName.toLowerCase().endsWith('.gguf')) {
    throw new GemmaError('invalid-argument', `${address}: only addresses of .gguf files can be kept. Take a safetensors model from the hub (hf:owner/repository), or open this address without \`store\`.`)
  }
  return { kind: 'web', url: url.href, fileName: checkPath(fileName, address) }
}

/** As `parseAddress` reads it: one spelling for each. */
export function printAddress(address: ModelAddress): string {
  if (address.kind === 'web') return address.url
  const { repository, revision, path } = address
  return `hf:${repository}${revision === undefined ? '' : `@${encodeURIComponent(revision)}`}${path === undefined ? '' : `/${path}`}`
}

function decoded(part: string, address: string): string {
  try {
    return decodeURIComponent(part)
  } catch (cause) {
    throw new GemmaError('invalid-argument', `${address}: a % in it stands for no character. Write %25 for a percent sign.`, { cause })
  }
}
