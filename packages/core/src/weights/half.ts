/** 2^(e − 25) for the biased exponent e of a normal f16. */
const binades: Float64Array = Float64Array.from({ length: 31 }, (_, exponent) => 2 ** (exponent - 25))

/** The little-endian f16 at byte `at`. */
export function halfAt(bytes: Uint8Array, at: number): number {
  const bits = bytes[at] | (bytes[at + 1] << 8)
  const exponent = (bits >> 10) & 31
  const fraction = bits & 1023
  const magnitude = exponent === 31 ? (fraction === 0 ? Infinity : NaN) : exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * binades[exponent]
  return bits & 0x8000 ? -magnitude : magnitude
}

/** Works on bits, so that NaN payloads and the sign of zero survive. */
export function f16ToF32(bytes: Uint8Array, out: Float32Array): void {
  const words = new Uint32Array(out.buffer, out.byteOffset, out.length)
  for (let i = 0; i < words.length; i++) {
    const bits = bytes[2 * i] | (bytes[2 * i + 1] << 8)
    words[i] = ((bits & 0x8000) << 16) | magnitudeBits(bits & 0x7fff)
  }
}

function magnitudeBits(half: number): number {
  if (half >= 0x7c00) return 0x7f800000 | ((half & 1023) << 13)
  if (half >= 0x0400) return (half << 13) + (112 << 23)
  if (half === 0) return 0
  // Subnormal: its leading one becomes the implicit bit of an f32.
  const shift = Math.clz32(half) - 21
  return ((113 - shift) << 23) | (((half << shift) & 1023) << 13)
}

/** To the nearest, ties to even, as GPUs round. */
export function f32ToF16(values: Float32Array): Uint16Array<ArrayBuffer> {
  return Uint16Array.from(new Uint32Array(values.buffer, values.byteOffset, values.length), halfBits)
}

function halfBits(bits: number): number {
  const sign = (bits >>> 16) & 0x8000
  const magnitude = bits & 0x7fffffff
  if (magnitude >= 0x47800000) return sign | (magnitude > 0x7f800000 ? 0x7e00 : 0x7c00)
  if (magnitude < 0x38800000) {
    const scaled = (magnitude & 0x7fffff) | 0x800000
    const shift = 126 - (magnitude >>> 23)
    if (shift > 24) return sign
    const kept = scaled >>> shift
    const rest = scaled & ((1 << shift) - 1)
    const tie = 1 << (shift - 1)
    return sign | (kept + (rest > tie || (rest === tie && (kept & 1) === 1) ? 1 : 0))
  }
  return sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13)
}

/** bf16 is the upper half of an f32. */
export function bf16ToF32(bytes: Uint8Array, out: Float32Array): void {
  const words = new Uint32Array(out.buffer, out.byteOffset, out.length)
  for (let i = 0; i < words.length; i++) words[i] = (bytes[2 * i] << 16) | (bytes[2 * i + 1] << 24)
}
