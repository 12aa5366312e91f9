import { halfAt } from './half.ts'

/** The 6-bit scale and minimum of sub-block `s` (0…7) out of the 12 bytes at `at`. */
function scaleOf(bytes: Uint8Array, at: number, s: number): number {
  return s < 4 ? bytes[at + s] & 63 : (bytes[at + s + 4] & 15) | ((bytes[at + s - 4] >> 6) << 4)
}

function minOf(bytes: Uint8Array, at: number, s: number): number {
  return s < 4 ? bytes[at + s + 4] & 63 : (bytes[at + s + 4] >> 4) | ((bytes[at + s] >> 6) << 4)
}

/** Block: f16 d; f16 dmin; u8 scales[12]; u8 qs[128]. Each 32 bytes of qs hold sub-block 2k (low nibbles) and 2k + 1 (high). */
export function dequantizeQ4K(bytes: Uint8Array, out: Float32Array): void {
  for (let block = 0, at = 0; at < out.length; block += 144, at += 256) {
    const d = halfAt(bytes, block)
    const dmin = halfAt(bytes, block + 2)
    for (let k = 0; k < 4; k++) {
      const lowScale = d * scaleOf(bytes, block + 4, 2 * k)
      const lowMin = dmin * minOf(bytes, block + 4, 2 * k)
      const highScale = d * scaleOf(bytes, block + 4, 2 * k + 1)
      const highMin = dmin * minOf(bytes, block + 4, 2 * k + 1)
      const qs = block + 16 + 32 * k
      const to = at + 64 * k
      for (let l = 0; l < 32; l++) {
        const q = bytes[qs + l]
        out[to + l] = lowScale * (q & 15) - lowMin
        out[to + l + 32] = highScale * (q >> 4) - highMin
      }
    }
  }
}

/** Block: f16 d; f16 dmin; u8 scales[12]; u8 qh[32]; u8 qs[128]. Bit s of qh[l] is the fifth bit of value l of sub-block s. */
export function dequantizeQ5K(bytes: Uint8Array, out: Float32Array): void {
  for (let block = 0, at = 0; at < out.length; block += 176, at += 256) {
    const d = halfAt(bytes, block)
    const dmin = halfAt(bytes, block + 2)
    for (let k = 0; k < 4; k++) {
      const lowScale = d * scaleOf(bytes, block + 4, 2 * k)
      const lowMin = dmin * minOf(bytes, block + 4, 2 * k)
      const highScale = d * scaleOf(bytes, block + 4, 2 * k + 1)
      const highMin = dmin * minOf(bytes, block + 4, 2 * k + 1)
      const qs = block + 48 + 32 * k
      const to = at + 64 * k
      for (let l = 0; l < 32; l++) {
        const q = bytes[qs + l]
        const fifth = bytes[block + 16 + l] >> (2 * k)
        out[to + l] = lowScale * ((q & 15) | ((fifth & 1) << 4)) - lowMin
        out[to + l + 32] = highScale * ((q >> 4) | ((fifth & 2) << 3)) - highMin
      }
    }
  }
}

/** Block: u8 ql[128]; u8 qh[64]; i8 scales[16]; f16 d. Two halves of 128 values, each four runs of 32. */
export function dequantizeQ6K(bytes: Uint8Array, out: Float32Array): void {
  for (let block = 0, at = 0; at < out.length; block += 210, at += 256) {
    const d = halfAt(bytes, block + 208)
    for (let half = 0; half < 2; half++) {
      const ql = block + 64 * half
      const qh = block + 128 + 32 * half
      for (let run = 0; run < 4; run++) {
        const nibbles = ql + 32 * (run & 1)
        const nibbleShift = run < 2 ? 0 : 4
        const to = at + 128 * half + 32 * run
        for (let l = 0; l < 32; l++) {
          const scale = d * ((bytes[block + 192 + 8 * half + 2 * run + (l >> 4)] << 24) >> 24)
          const q = ((bytes[nibbles + l] >> nibbleShift) & 15) | (((bytes[qh + l] >> (2 * run)) & 3) << 4)
          out[to + l] = scale * (q - 32)
        }
      }
    }
  }
}
