import { GemmaError } from '../errors.ts'

/** The page where people accept the terms of a model; mirrors do not have it. */
export function licencePage(repository: string): string {
  return `https://huggingface.co/${repository}`
}

/** A 401 or 403 for a model of the hub. @param code the hub's X-Error-Code */
export function accessRefused(repository: string, { status, code, hasToken }: { readonly status: number; readonly code: string | null; readonly hasToken: boolean }): GemmaError {
  const licenceUrl = licencePage(repository)
  // The hub does not tell strangers which repositories there are.
  if (code === 'RepoNotFound') {
    return new GemmaError('download-failed', `hf:${repository}: there is no such repository, or it is private (HTTP ${status}). Check its name${hasToken ? ', and that the token may read it' : '; for a private one pass `token`, or set HF_TOKEN'}.`, {
      details: { repository, status, absent: true },
    })
  }
  const fix = hasToken
    ? `Log in as the token's owner, accept the licence at ${licenceUrl}, and check that the token may read gated repositories.`
    : `Accept the licence at ${licenceUrl}, then pass \`token\` (from https://huggingface.co/settings/tokens) or set HF_TOKEN.`
  return new GemmaError('download-failed', `hf:${repository}: access is refused (HTTP ${status}). ${fix}`, { details: { repository, status, licenceUrl } })
}

export function noSuchFile(repository: string, path: string, there: readonly string[]): GemmaError {
  return new GemmaError('invalid-argument', `hf:${repository} has no ${path}. There is: ${someOf(there)}.`, { details: { repository, path, files: there.slice(0, 100) } })
}

/** @param space in bytes; `needed` where it is known */
export function outOfStorage(store: string, space: { readonly needed?: number; readonly free: number }): GemmaError {
  const problem = space.needed === undefined ? `${store} is full (${megabytes(space.free)} are free)` : `${megabytes(space.needed)} are needed in ${store}, but only ${megabytes(space.free)} are free`
  return new GemmaError('out-of-storage', `${problem}. Delete a model or other files, or take a smaller quantisation.`, {
    details: { ...space },
  })
}

export function someOf(names: readonly string[]): string {
  return names.length === 0 ? 'nothing' : `${names.slice(0, 20).join(', ')}${names.length > 20 ? ` and ${names.length - 20} more` : ''}`
}

function megabytes(bytes: number): string {
  return `${Math.ceil(bytes / 1e6).toLocaleString('en-US')} MB`
}
