/** For tests: the fixtures' formulas and digests. */
import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex } from '@noble/hashes/utils.js'

/** [height, width, 3] of the pictures in fixtures/image/vectors.json and pan-and-scan.json */
export function proceduralRgb(width: number, height: number): Uint8Array {
  const rgb = new Uint8Array(3 * width * height)
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let channel = 0; channel < 3; channel++, at++) rgb[at] = ((3 * x * x + 5 * y * y + 7 * x * y + 91 * channel) >> 3) & 255
    }
  }
  return rgb
}

/** SHA-256 of the bytes in memory (little-endian on every machine that runs this). */
export function digest(values: Uint8Array | Uint8ClampedArray | Float32Array): string {
  return bytesToHex(sha256(new Uint8Array(values.buffer, values.byteOffset, values.byteLength)))
}
