import { GemmaError } from '../errors.ts'

/** Crops of a long picture beside the whole of it. Every crop costs as many tokens as the whole. Defaults: HF's. */
export interface PanAndScanOptions {
  /** No crop is smaller on a side, in pixels. Default 256. */
  readonly minCropSize?: number
  /** 1 … 64. Default 4. */
  readonly maxCrops?: number
  /** Long side over short side from which on there are crops. Default 1.2. */
  readonly minRatio?: number
}

/** Pixels left ≤ x < right, top ≤ y < bottom. */
export interface Box {
  readonly left: number
  readonly top: number
  readonly right: number
  readonly bottom: number
}

/**
 * The crops of a picture of this size in pixels, from left to right or from top to bottom; none where it is near a square or small.
 * Source: transformers `image_processing_pil_gemma3.py`, `pan_and_scan`.
 * @throws GemmaError `invalid-argument`
 */
export function panAndScanBoxes(width: number, height: number, options: PanAndScanOptions = {}): Box[] {
  const { minCropSize = 256, maxCrops = 4, minRatio = 1.2 } = options
  checkOptions(minCropSize, maxCrops, minRatio)
  const long = Math.max(width, height)
  const short = Math.min(width, height)
  if (long / short < minRatio) return []

  const wanted = Math.min(Math.floor(long / minCropSize), Math.floor(long / short + 0.5))
  const count = Math.min(maxCrops, Math.max(2, wanted))
  const length = Math.ceil(long / count)
  if (Math.min(length, short) < minCropSize) return []

  // Lengths are rounded up, so that of many small crops the last may have nothing left.
  const starts = Array.from({ length: count }, (_, i) => i * length).filter((start) => start < long)
  return starts.map((start) => {
    const end = Math.min(start + length, long)
    return width >= height ? { left: start, top: 0, right: end, bottom: height } : { left: 0, top: start, right: width, bottom: end }
  })
}

function checkOptions(minCropSize: number, maxCrops: number, minRatio: number): void {
  const wrong =
    !(Number.isSafeInteger(minCropSize) && minCropSize >= 1) ? `minCropSize is ${minCropSize}. Pass a whole number of pixels, at least 1.`
    : !(Number.isSafeInteger(maxCrops) && maxCrops >= 1 && maxCrops <= 64) ? `maxCrops is ${maxCrops}. Pass a whole number from 1 to 64.`
    : !(minRatio >= 1) ? `minRatio is ${minRatio}. Pass a number of at least 1.`
    : undefined
  if (wrong !== undefined) throw new GemmaError('invalid-argument', `Pan and scan: ${wrong}`, { details: { minCropSize, maxCrops, minRatio } })
}
