import { type Kernel, rowsOf } from './bind.ts'

export const embed: Kernel<'embed'> = (step, tensor) => {
  const ids = tensor(step.ids)
  const table = tensor(step.table)
  const out = tensor(step.out)
  const vocabSize = table.values.length / table.width
  return (args) => {
    for (let r = 0; r < rowsOf(out, args); r++) {
      const id = ids.values[r]
      const from = (id >= 0 && id < vocabSize ? id : 0) * table.width
      for (let i = 0; i < out.width; i++) out.values[r * out.width + i] = table.values[from + i] * step.scale
    }
  }
}

export const placeRows: Kernel<'placeRows'> = (step, tensor) => {
  const source = tensor(step.source)
  const index = tensor(step.index)
  const out = tensor(step.out)
  return (args) => {
    for (let r = 0; r < rowsOf(out, args); r++) {
      const from = index.values[r]
      if (from >= 0) out.values.set(source.values.subarray(from * out.width, (from + 1) * out.width), r * out.width)
    }
  }
}

export const takeRows: Kernel<'takeRows'> = (step, tensor) => {
  const x = tensor(step.x)
  const index = tensor(step.index)
  const out = tensor(step.out)
  return (args) => {
    for (let t = 0; t < rowsOf(out, args); t++) {
      const from = index.values[t]
      out.values.set(x.values.subarray(from * out.width, (from + 1) * out.width), t * out.width)
    }
  }
}

export const avgPool: Kernel<'avgPool'> = (step, tensor) => {
  const x = tensor(step.x)
  const out = tensor(step.out)
  const { size } = step
  return (args) => {
    const side = Math.sqrt(rowsOf(x, args))
    const outSide = side / size
    for (let r = 0; r < outSide * outSide; r++) {
      const top = Math.floor(r / outSide) * size
      const left = (r % outSide) * size
      for (let i = 0; i < out.width; i++) {
        let sum = 0
        for (let dy = 0; dy < size; dy++) {
          for (let dx = 0; dx < size; dx++) sum += x.values[((top + dy) * side + left + dx) * out.width + i]
        }
        out.values[r * out.width + i] = sum / (size * size)
      }
    }
  }
}
