import { type Kernel, rowsOf } from './bind.ts'
import { rmsScale } from './norm.ts'

export const normRopeStore: Kernel<'normRopeStore'> = (step, tensor) => {
  const q = tensor(step.q)
  const k = tensor(step.k)
  const v = tensor(step.v)
  const qNorm = tensor(step.qNorm).values
  const kNorm = tensor(step.kNorm).values
  const rope = tensor(step.rope).values
  const kCache = tensor(step.kCache)
  const vCache = tensor(step.vCache)
  const headDim = qNorm.length
  const capacity = kCache.values.length / kCache.width

  /** One head: from[start…] → to[target…], normalised and rotated; pair (j, j + headDim/2). */
  const rotate = (from: ArrayLike<number>, start: number, norm: ArrayLike<number>, row: number, to: { [index: number]: number }, target: number): void => {
    const half = headDim / 2
    const scale = rmsScale(from, start, headDim, step.eps)
    for (let j = 0; j < half; j++) {
      const first = from[start + j] * scale * norm[j]
      const second = from[start + half + j] * scale * norm[half + j]
      const cos = rope[row * headDim + j]
      const sin = rope[row * headDim + half + j]
      to[target + j] = first * cos - second * sin
      to[target + half + j] = second * cos + first * sin
    }
  }
  return (args) => {
    for (let r = 0; r < rowsOf(q, args); r++) {
      const slot = (args.position + r) % capacity
      for (let at = 0; at < q.width; at += headDim) rotate(q.values, r * q.width + at, qNorm, r, q.values, r * q.width + at)
      for (let at = 0; at < k.width; at += headDim) rotate(k.values, r * k.width + at, kNorm, r, kCache.values, slot * k.width + at)
      vCache.values.set(v.values.subarray(r * v.width, (r + 1) * v.width), slot * v.width)
    }
  }
}

export const attention: Kernel<'attention'> = (step, tensor) => {
  const q = tensor(step.q)
  const k = tensor(step.k)
  const v = tensor(step.v)
  const begin = tensor(step.begin).values
  const end = tensor(step.end).values
  const out = tensor(step.out)
  const probabilities = step.probabilities === undefined ? undefined : tensor(step.probabilities).values
  const { headDim } = step
  const heads = q.width / headDim
  const groupSize = heads / (k.width / headDim) // query heads per kv head
  const capacity = k.values.length / k.width

  return (args) => {
    for (let r = 0; r < rowsOf(out, args); r++) {
      for (let head = 0; head < heads; head++) {
        const qAt = r * q.width + head * headDim
        const kvAt = Math.floor(head / groupSize) * headDim
        const scores: number[] = []
        for (let position = begin[r]; position < end[r]; position++) {
          const kAt = (position % capacity) * k.width + kvAt
          let dot = 0
          for (let i = 0; i < headDim; i++) dot += q.values[qAt + i] * k.values[kAt + i]
          scores.push(dot * step.scale)
        }
        const max = scores.reduce((best, score) => Math.max(best, score), -Infinity)
        const weights = scores.map((score) => Math.exp(score - max))
        const total = weights.reduce((sum, weight) => sum + weight, 0)

        const mixed = new Float64Array(headDim)
        weights.forEach((weight, i) => {
          const vAt = ((begin[r] + i) % capacity) * v.width + kvAt
          for (let j = 0; j < headDim; j++) mixed[j] += weight * v.values[vAt + j]
        })
        for (let j = 0; j < headDim; j++) out.values[qAt + j] = total === 0 ? 0 : mixed[j] / total

        if (probabilities === undefined) continue
        const row = (r * heads + head) * capacity
        probabilities.fill(0, row, row + capacity)
        weights.forEach((weight, i) => {
          probabilities[row + ((begin[r] + i) % capacity)] = weight / total
        })
      }
    }
  }
}
