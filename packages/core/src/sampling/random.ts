const mask64 = (value: bigint): bigint => BigInt.asUintN(64, value)

/**
 * The number in [0, 1) for one position of one seed: a multiple of 2^-53, the same on every platform and in any order.
 * It is the top 53 bits of output number `position` (from 0) of SplitMix64 started at `seed`
 * (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014), which is a hash of seed + (position + 1) · γ.
 */
export function randomUnit(seed: number, position: number): number {
  let z = mask64(BigInt(seed) + BigInt(position + 1) * 0x9e3779b97f4a7c15n)
  z = mask64((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n)
  z = mask64((z ^ (z >> 27n)) * 0x94d049bb133111ebn)
  z ^= z >> 31n
  return Number(z >> 11n) / 2 ** 53
}

/** A seed nobody chose: an integer in [0, 2^53). */
export function randomSeed(): number {
  const [high = 0, low = 0] = crypto.getRandomValues(new Uint32Array(2))
  return (high >>> 11) * 2 ** 32 + low
}
