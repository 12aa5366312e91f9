/**
 * HF's rescale and normalise, in the order of its roundings: f32(byte / 255), less 0.5, over 0.5.
 * [imageSize, imageSize, 3] → f32 [3, imageSize, imageSize] in −1 … 1. Source: transformers `image_processing_pil_gemma3.py`.
 */
export function normalise(rgb: Uint8Array, imageSize: number): Float32Array {
  const values = Float32Array.from({ length: 256 }, (_, byte) => (Math.fround(byte * (1 / 255)) - 0.5) / 0.5)
  const plane = imageSize * imageSize
  const pixels = new Float32Array(3 * plane)
  for (let i = 0; i < plane; i++) {
    pixels[i] = values[rgb[3 * i]]
    pixels[plane + i] = values[rgb[3 * i + 1]]
    pixels[2 * plane + i] = values[rgb[3 * i + 2]]
  }
  return pixels
}

/**
 * The rows that the patch embedding multiplies: f32 [3, imageSize, imageSize] → [patches, 3 · patchSize²]. Patches go row by row
 * from the top left; a patch's values are ordered (channel, y, x). `patchSize` must divide `imageSize`.
 */
export function patchify(pixels: Float32Array, imageSize: number, patchSize: number): Float32Array {
  const perSide = imageSize / patchSize
  const patches = new Float32Array(pixels.length)
  let at = 0
  for (let patch = 0; patch < perSide * perSide; patch++) {
    const left = (patch % perSide) * patchSize
    const top = Math.floor(patch / perSide) * patchSize
    for (let channel = 0; channel < 3; channel++) {
      for (let y = 0; y < patchSize; y++, at += patchSize) {
        const from = (channel * imageSize + top + y) * imageSize + left
        patches.set(pixels.subarray(from, from + patchSize), at)
      }
    }
  }
  return patches
}
