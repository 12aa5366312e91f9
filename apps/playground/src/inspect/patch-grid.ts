/** How dark a picture is where nothing is looked at: 0 … 255. */
const darkest = 215

/**
 * Black that covers what is not looked at, as RGBA: [side, side, 4]. A patch with the largest share is not covered at all.
 * @param shares [side²]
 */
export function veil(shares: Float64Array, largest: number): Uint8ClampedArray<ArrayBuffer> {
  const rgba = new Uint8ClampedArray(shares.length * 4)
  shares.forEach((share, i) => {
    rgba[i * 4 + 3] = darkest * (1 - Math.sqrt(largest > 0 ? share / largest : 0)) // roots: half of the light is a quarter of the share
  })
  return rgba
}

export function brightestPatch(shares: Float64Array, side: number): { readonly index: number; readonly row: number; readonly column: number } {
  const index = shares.reduce((best, share, i) => (share > shares[best] ? i : best), 0)
  return { index, row: Math.floor(index / side), column: index % side }
}
