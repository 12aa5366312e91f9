/** Pictures from the server, decoded and prepared: on the page's own thread, and in images-worker.ts. */
import { GemmaError } from '../../../packages/core/src/errors.ts'
import { decodeImage } from '../../../packages/core/src/image/decode-image.ts'
import { prepareImage } from '../../../packages/core/src/image/prepare-image.ts'
import { askWorker } from './ask-worker.ts'

export interface Request {
  readonly addresses: readonly string[]
  /** Only the first bytes of each, as a share: what a broken download leaves. Default 1. */
  readonly share?: number
  readonly imageSize: number
  readonly withPixels: boolean
}

export interface Outcome {
  readonly width: number
  readonly height: number
  /** RGB; empty without `withPixels`. */
  readonly pixels: readonly number[]
  /** Of the image that the tower sees. */
  readonly hash: string
  /** Code and message where decoding failed. */
  readonly error: string
}

export async function decodeHere({ addresses, share = 1, imageSize, withPixels }: Request): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = []
  for (const address of addresses) {
    const response = await fetch(address)
    if (!response.ok) throw new Error(`${address} answered ${response.status}`)
    const file = await response.blob()
    outcomes.push(await decodeOne(file.slice(0, Math.floor(file.size * share)), imageSize, withPixels))
  }
  return outcomes
}

async function decodeOne(file: Blob, imageSize: number, withPixels: boolean): Promise<Outcome> {
  try {
    const pixels = await decodeImage(file)
    const [{ hash }] = prepareImage(pixels, { imageSize })
    return { width: pixels.width, height: pixels.height, pixels: withPixels ? [...pixels.data] : [], hash, error: '' }
  } catch (error) {
    if (!GemmaError.is(error)) throw error
    return { width: 0, height: 0, pixels: [], hash: '', error: `${error.code}: ${error.message}` }
  }
}

export function decodeInWorker({ workerAddress, ...request }: Request & { readonly workerAddress: string }): Promise<readonly Outcome[]> {
  return askWorker(workerAddress, request)
}
