import { type Kernel, rowsOf } from './bind.ts'
import type { Tensor } from './memory.ts'

export const linear: Kernel<'linear'> = (step, tensor) => {
  const x = tensor(step.x)
  const weight = tensor(step.weight)
  const out = tensor(step.out)
  const bias = step.bias === undefined ? undefined : tensor(step.bias).values
  const add = step.add === undefined ? undefined : tensor(step.add).values
  const product = matmul(weight, x)
  return (args) => {
    product(rowsOf(out, args), (r, o, sum) => {
      const at = r * out.width + o
      const biased = sum + (bias === undefined ? 0 : bias[o])
      out.values[at] = (step.activation === 'gelu' ? gelu(biased) : biased) + (add === undefined ? 0 : add[at])
    })
  }
}

export const gatedLinear: Kernel<'gatedLinear'> = (step, tensor) => {
  const x = tensor(step.x)
  const out = tensor(step.out)
  const gate = matmul(tensor(step.gate), x)
  const up = matmul(tensor(step.up), x)
  return (args) => {
    const rows = rowsOf(out, args)
    gate(rows, (r, o, sum) => {
      out.values[r * out.width + o] = gelu(sum)
    })
    up(rows, (r, o, sum) => {
      out.values[r * out.width + o] *= sum
    })
  }
}

/** GELU in its tanh form. */
export function gelu(x: number): number {
  return 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)))
}

type Store = (row: number, outIndex: number, sum: number) => void

/**
 * x · weightᵀ in f64, one sum after another in the order of the columns, so that a row's result does not depend on how many
 * rows are computed with it. Four rows share one pass over a weight row: this loop is where the reference spends its time.
 */
function matmul(weight: Tensor, x: Tensor): (rows: number, store: Store) => void {
  const w = weight.values
  const width = weight.width
  const outWidth = w.length / width
  return (rows, store) => {
    const xs = Float64Array.from(x.values.subarray(0, rows * width))
    const blocks = rows - (rows % 4)
    for (let o = 0; o < outWidth; o++) {
      const row = o * width
      for (let r = 0; r < blocks; r += 4) {
        const [x0, x1, x2, x3] = [r * width, (r + 1) * width, (r + 2) * width, (r + 3) * width]
        let [sum0, sum1, sum2, sum3] = [0, 0, 0, 0]
        for (let i = 0; i < width; i++) {
          const value = w[row + i]
          sum0 += value * xs[x0 + i]
          sum1 += value * xs[x1 + i]
          sum2 += value * xs[x2 + i]
          sum3 += value * xs[x3 + i]
        }
        store(r, o, sum0)
        store(r + 1, o, sum1)
        store(r + 2, o, sum2)
        store(r + 3, o, sum3)
      }
      for (let r = blocks; r < rows; r++) {
        const start = r * width
        let sum = 0
        for (let i = 0; i < width; i++) sum += w[row + i] * xs[start + i]
        store(r, o, sum)
      }
    }
  }
}
