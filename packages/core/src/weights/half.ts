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

/** bf16 is the upper half of an f32. */
export function bf16ToF32(bytes: Uint8Array, out: Float32Array): void {
  const words = new Uint32Array(out.buffer, out.byteOffset, out.length)
  for (let i = 0; i < words.length; i++) words[i] = (bytes[2 * i] << 16) | (bytes[2 * i + 1] << 24)
}
