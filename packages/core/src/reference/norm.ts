import { type Kernel, rowsOf } from './bind.ts'

export const rmsNorm: Kernel<'rmsNorm'> = (step, tensor) => {
  const x = tensor(step.x).values
  const weight = tensor(step.weight).values
  const residual = step.residual === undefined ? undefined : tensor(step.residual).values
  const out = tensor(step.out)
  return (args) => {
    for (let r = 0; r < rowsOf(out, args); r++) {
      const row = r * out.width
      const scale = rmsScale(x, row, out.width, step.eps)
      for (let i = 0; i < out.width; i++) {
        out.values[row + i] = x[row + i] * scale * weight[i] + (residual === undefined ? 0 : residual[row + i])
      }
    }
  }
}

/** 1 / √(mean(x²) + eps) over `width` values from `start`. */
export function rmsScale(x: ArrayLike<number>, start: number, width: number, eps: number): number {
  let squares = 0
  for (let i = start; i < start + width; i++) squares += x[i] * x[i]
  return 1 / Math.sqrt(squares / width + eps)
}

export const layerNorm: Kernel<'layerNorm'> = (step, tensor) => {
  const x = tensor(step.x).values
  const weight = tensor(step.weight).values
  const bias = tensor(step.bias).values
  const out = tensor(step.out)
  return (args) => {
    for (let r = 0; r < rowsOf(out, args); r++) {
      const row = r * out.width
      let sum = 0
      for (let i = 0; i < out.width; i++) sum += x[row + i]
      const mean = sum / out.width
      let squares = 0
      for (let i = 0; i < out.width; i++) squares += (x[row + i] - mean) ** 2
      const scale = 1 / Math.sqrt(squares / out.width + step.eps)
      for (let i = 0; i < out.width; i++) out.values[row + i] = (x[row + i] - mean) * scale * weight[i] + bias[i]
    }
  }
}
