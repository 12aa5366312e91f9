import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex } from '@noble/hashes/utils.js'
import { GemmaError } from '../errors.ts'
import type { ImagePixels } from './image-input.ts'
import { type Box, panAndScanBoxes, type PanAndScanOptions } from './pan-and-scan.ts'
import { resizeRegion } from './resize.ts'

/** What the vision tower sees of a picture, or of one of its crops. */
export interface PreparedImage {
  /** [imageSize, imageSize, 3] */
  readonly rgb: Uint8Array
  /** SHA-256 of `rgb` in hexadecimal: the same content has the same features. */
  readonly hash: string
}

export interface PrepareOptions {
  /** Side in pixels of the tower's square: 896 for Gemma 3. */
  readonly imageSize: number
  /** Off by default, as in HF. */
  readonly panAndScan?: boolean | PanAndScanOptions
}

/**
 * Whole picture first, then its crops; each is stretched to a square, as HF does (its shape is not kept), and loses its alpha.
 * @param pixels as `decodeImage` gives them: their size and length are not checked again
 */
export function prepareImage(pixels: ImagePixels, { imageSize, panAndScan = false }: PrepareOptions): PreparedImage[] {
  const { width, height, data } = pixels
  const channels = data.length === 4 * width * height ? 4 : 3
  const whole: Box = { left: 0, top: 0, right: width, bottom: height }
  return [whole, ...crops(width, height, panAndScan)].map(({ left, top, right, bottom }) => {
    const rgb = resizeRegion({ data, channels, pixelsPerRow: width, left, top, width: right - left, height: bottom - top }, imageSize, imageSize)
    return { rgb, hash: bytesToHex(sha256(rgb)) }
  })
}

/** Images that a picture of this size in pixels becomes: 1 without pan and scan. Each costs the model's tokens of one image. */
export function countImages(width: number, height: number, panAndScan: boolean | PanAndScanOptions = false): number {
  return 1 + crops(width, height, panAndScan).length
}

function crops(width: number, height: number, panAndScan: boolean | PanAndScanOptions): Box[] {
  if (panAndScan === false) return []
  if (panAndScan !== true && (typeof panAndScan !== 'object' || panAndScan === null || Array.isArray(panAndScan))) {
    throw new GemmaError('invalid-argument', `panAndScan is ${JSON.stringify(panAndScan)}. Pass true, false or { minCropSize, maxCrops, minRatio }.`)
  }
  return panAndScanBoxes(width, height, panAndScan === true ? {} : panAndScan)
}
