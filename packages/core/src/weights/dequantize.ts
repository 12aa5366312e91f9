import type { WeightType } from '../backend.ts'
import { GemmaError } from '../errors.ts'
import { dequantizeQ4K, dequantizeQ5K, dequantizeQ6K } from './dequantize-k.ts'
import { bf16ToF32, f16ToF32, halfAt } from './half.ts'
import { encodedByteLength } from './weight-types.ts'

/**
 * Decodes `bytes` of the given type into all of `out`, bit for bit as gguf-py does. Every product below is exact in f64
 * and at most one sum is rounded, so that rounding once, at the store into `out`, gives what f32 arithmetic gives.
 * Source: ggml `ggml-quants.c`.
 * @throws GemmaError `invalid-argument` where the lengths do not fit.
 */
export function dequantize(type: WeightType, bytes: Uint8Array, out: Float32Array): void {
  if (bytes.length !== encodedByteLength(type, out.length)) {
    const need = encodedByteLength(type, out.length)
    throw new GemmaError('invalid-argument', `${out.length} values of type ${type} take ${need} bytes, not ${bytes.length}. Pass whole rows.`)
  }
  decoders[type](bytes, out)
}

type Decoder = (bytes: Uint8Array, out: Float32Array) => void

const decoders: Readonly<Record<WeightType, Decoder>> = {
  f32: (bytes, out) => new Uint8Array(out.buffer, out.byteOffset, out.byteLength).set(bytes),
  f16: (bytes, out) => f16ToF32(bytes, out),
  bf16: (bytes, out) => bf16ToF32(bytes, out),
  q4_0: dequantizeQ40,
  q4_1: dequantizeQ41,
  q5_0: dequantizeQ50,
  q5_1: dequantizeQ51,
  q8_0: dequantizeQ80,
  q4_k: dequantizeQ4K,
  q5_k: dequantizeQ5K,
  q6_k: dequantizeQ6K,
}

/** Block: f16 d; u8 qs[16]. Low nibbles are values 0…15, high nibbles 16…31. */
function dequantizeQ40(bytes: Uint8Array, out: Float32Array): void {
  for (let block = 0, at = 0; at < out.length; block += 18, at += 32) {
    const d = halfAt(bytes, block)
    for (let j = 0; j < 16; j++) {
      const q = bytes[block + 2 + j]
      out[at + j] = d * ((q & 15) - 8)
      out[at + j + 16] = d * ((q >> 4) - 8)
    }
  }
}

/** Block: f16 d; f16 m; u8 qs[16]. */
function dequantizeQ41(bytes: Uint8Array, out: Float32Array): void {
  for (let block = 0, at = 0; at < out.length; block += 20, at += 32) {
    const d = halfAt(bytes, block)
    const m = halfAt(bytes, block + 2)
    for (let j = 0; j < 16; j++) {
      const q = bytes[block + 4 + j]
      out[at + j] = d * (q & 15) + m
      out[at + j + 16] = d * (q >> 4) + m
    }
  }
}

/** Block: f16 d; u32 qh (the fifth bits, one a value); u8 qs[16]. */
function dequantizeQ50(bytes: Uint8Array, out: Float32Array): void {
  for (let block = 0, at = 0; at < out.length; block += 22, at += 32) {
    const d = halfAt(bytes, block)
    const low = bytes[block + 2] | (bytes[block + 3] << 8)
    const high = bytes[block + 4] | (bytes[block + 5] << 8)
    for (let j = 0; j < 16; j++) {
      const q = bytes[block + 6 + j]
      out[at + j] = d * (((q & 15) | (((low >> j) & 1) << 4)) - 16)
      out[at + j + 16] = d * (((q >> 4) | (((high >> j) & 1) << 4)) - 16)
    }
  }
}

/** Block: f16 d; f16 m; u32 qh; u8 qs[16]. */
function dequantizeQ51(bytes: Uint8Array, out: Float32Array): void {
  for (let block = 0, at = 0; at < out.length; block += 24, at += 32) {
    const d = halfAt(bytes, block)
    const m = halfAt(bytes, block + 2)
    const low = bytes[block + 4] | (bytes[block + 5] << 8)
    const high = bytes[block + 6] | (bytes[block + 7] << 8)
    for (let j = 0; j < 16; j++) {
      const q = bytes[block + 8 + j]
      out[at + j] = d * ((q & 15) | (((low >> j) & 1) << 4)) + m
      out[at + j + 16] = d * ((q >> 4) | (((high >> j) & 1) << 4)) + m
    }
  }
}

/** Block: f16 d; i8 qs[32]. */
function dequantizeQ80(bytes: Uint8Array, out: Float32Array): void {
  for (let block = 0, at = 0; at < out.length; block += 34, at += 32) {
    const d = halfAt(bytes, block)
    for (let j = 0; j < 32; j++) out[at + j] = d * ((bytes[block + 2 + j] << 24) >> 24)
  }
}
