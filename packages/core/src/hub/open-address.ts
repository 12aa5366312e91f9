/** From an address of the hub to a folder that `openModel` reads. */
import { GemmaError } from '../errors.ts'
import type { HttpOptions } from '../weights/http-exchange.ts'
import { httpSource } from '../weights/http-source.ts'
import type { Folder } from '../weights/source.ts'
import { isHubAddress, parseAddress } from './address.ts'
import { nameOf } from './choose-files.ts'
import type { DownloadProgress } from './download-files.ts'
import { accessRefused } from './hub-errors.ts'
import { type HubOptions, resolveHubOptions } from './hub-options.ts'
import { type ModelStore, openModelStore } from './model-store.ts'
import { makePlan, urlOf } from './plan.ts'

export interface StoreOptions extends HubOptions {
  /**
   * Where a download is kept. For `hf:` addresses default true: this machine's or browser's own store (`openModelStore()`); false: nothing
   * is kept, and what is not there already is read from the hub in ranges. For https addresses default false: read in ranges; true or a
   * store: a .gguf file is downloaded and kept.
   */
  readonly store?: ModelStore | boolean
}

export interface OpenAddressOptions extends StoreOptions, Omit<HttpOptions, 'headers'> {
  /** Take a GGUF model's vision part along. */
  readonly withMmproj: boolean
  /** While something is fetched. */
  readonly onDownload?: (progress: DownloadProgress) => void
}

/** What the store opens, rather than a source of ranges. */
export function isKept(address: string, { store }: Pick<StoreOptions, 'store'>): boolean {
  return isHubAddress(address) || (/^https?:/i.test(address) && store !== undefined && store !== false)
}

/** Downloads what is missing, unless nothing is to be kept. @throws GemmaError as `ModelStore.download` */
export async function openAddress(address: string, options: OpenAddressOptions): Promise<Folder> {
  const { store = true, withMmproj, onDownload, token, ...rest } = options
  const { signal, ...storeOptions } = rest
  if (typeof store === 'object' && rest.endpoint !== undefined) {
    throw new GemmaError('invalid-argument', 'A store and an endpoint are given, but the store asks the hub that it was opened with. Give the endpoint to openModelStore() instead.')
  }
  const asked = { mmproj: withMmproj, ...(signal && { signal }), ...(token !== undefined && { token }) }
  if (store !== false) {
    const kept = store === true ? await openModelStore(storeOptions) : store
    await kept.download(address, { ...asked, ...(onDownload && { onProgress: onDownload }) })
    return await kept.open(address, asked)
  }
  return (await openIfHere(address, storeOptions, withMmproj)) ?? (await remoteFolder(address, options))
}

async function openIfHere(address: string, options: Parameters<typeof openModelStore>[0], mmproj: boolean): Promise<Folder | undefined> {
  try {
    return await (await openModelStore(options)).open(address, { mmproj })
  } catch (error) {
    if (GemmaError.is(error)) return undefined // not here, or nothing can be kept here
    throw error
  }
}

/** The files where they are, at one commit. */
async function remoteFolder(address: string, { withMmproj, onDownload: _, store: __, ...options }: OpenAddressOptions): Promise<Folder> {
  const request = resolveHubOptions(options)
  const parsed = parseAddress(address)
  const plan = await makePlan(parsed, { withMmproj }, request)
  const { token, endpoint, ...http } = request
  return {
    name: plan.model,
    list: async () => plan.files.map(nameOf),
    async open(fileName, signal) {
      const file = plan.files.find((each) => nameOf(each) === fileName)
      if (file === undefined) return undefined
      const headers = token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } }
      return await httpSource(urlOf(plan.model, file.path, endpoint), { ...http, ...headers, ...(signal && { signal }) }).catch((error: unknown) => {
        const status = GemmaError.is(error) ? error.details['status'] : undefined
        const isRefused = parsed.kind === 'hub' && (status === 401 || status === 403)
        throw isRefused ? accessRefused(parsed.repository, { status, code: null, hasToken: token !== undefined }) : error
      })
    },
  }
}
