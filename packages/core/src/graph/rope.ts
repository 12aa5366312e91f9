import type { LayerType, TextConfig } from './config.ts'

/**
 * Fills `out` [rows, headDim] for positions position … position + rows − 1: cos of pair j at j, sin at j + headDim/2.
 * Frequencies and angles are rounded to f32 as HF rounds them: at position 10,000 that is a difference of 1e-3 rad.
 */
export function fillRope(config: TextConfig, layerType: LayerType, position: number, rows: number, out: Float32Array): void {
  const { headDim } = config
  const half = headDim / 2
  const base = layerType === 'global' ? config.ropeTheta : config.ropeLocalBaseFreq
  const factor = layerType === 'global' ? config.ropeScalingFactor : 1
  for (let j = 0; j < half; j++) {
    const frequency = Math.fround(Math.fround(1 / Math.fround(base ** Math.fround((2 * j) / headDim))) / factor)
    for (let r = 0; r < rows; r++) {
      const angle = Math.fround((position + r) * frequency)
      out[r * headDim + j] = Math.cos(angle)
      out[r * headDim + half + j] = Math.sin(angle)
    }
  }
}
