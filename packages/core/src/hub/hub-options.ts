import { environment } from '#platform'
import { GemmaError } from '../errors.ts'
import type { RequestOptions } from './request.ts'

/** Which hub is asked, and as whom. */
export interface HubOptions {
  /** For gated and private repositories, from https://huggingface.co/settings/tokens. Default in Node: $HF_TOKEN. Sent to the hub only. */
  readonly token?: string
  /** The hub's address. Default: $HF_ENDPOINT in Node, else https://huggingface.co */
  readonly endpoint?: string
}

/** With what is not given from the environment. @throws GemmaError `invalid-argument` */
export function resolveHubOptions(options: Partial<RequestOptions>): RequestOptions {
  const { endpoint = environment('HF_ENDPOINT') ?? 'https://huggingface.co', token = environment('HF_TOKEN'), ...rest } = options
  if (/^(https?:\/\/)?[^/?#]*@/i.test(endpoint)) {
    throw new GemmaError('invalid-argument', "The hub's address has a user name or a password in it, which cannot be sent that way. Leave them out of endpoint (or HF_ENDPOINT), and pass token.")
  }
  if (!/^https?:/i.test(endpoint) || !URL.canParse(endpoint)) {
    throw new GemmaError('invalid-argument', `The hub's address is ${endpoint}, which is none. Give one like https://huggingface.co, as endpoint or in HF_ENDPOINT.`)
  }
  if (token !== undefined && !/^[\x21-\x7e]*$/.test(token)) {
    throw new GemmaError('invalid-argument', 'The token has characters that no token has. Copy it again from https://huggingface.co/settings/tokens.')
  }
  return { ...rest, endpoint: endpoint.replace(/\/+$/, ''), ...(token !== undefined && token !== '' && { token }) }
}
