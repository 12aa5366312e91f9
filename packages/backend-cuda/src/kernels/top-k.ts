import { GemmaError } from '@facetjs/core/backend'
import { i32, type Kernel, launch, maxRows, pointer, rowsOf, run, widthOf } from './kernel.ts'

/** Of native/kernels/top-k.cu and sample.cu. */
const THREADS = 256
const MAX_KEYS = 10_240

export const topK: Kernel<'topK'> = ({ logits, mask, adjustIds, adjust, ids, values, logSumExp }, { decl, limits }) => {
  const [placed, vocabSize, count] = [decl(ids), widthOf(decl(logits)), widthOf(decl(ids))]
  checkCount(count)
  // A slice of the vocabulary has about as many keys as all slices have candidates.
  const slice = Math.ceil(Math.sqrt(vocabSize * count) / THREADS) * THREADS
  const slices = Math.ceil(vocabSize / slice)
  if (slice > MAX_KEYS || slices * count > MAX_KEYS) throw new GemmaError('unsupported-model', `${count} candidates of ${vocabSize} tokens are more than the CUDA backend can look for. Use another backend.`)
  const rows = maxRows(placed, limits)
  const args = [
    run, pointer(logits), pointer(mask), pointer(adjustIds), pointer(adjust),
    { scratch: 'candidates', bytes: rows * slices * count * 8 }, { scratch: 'exponentials', bytes: rows * slices * 8 },
    pointer(ids), pointer(values), pointer(logSumExp), i32(vocabSize), i32(count), i32(slices), i32(slice),
  ]
  return [
    launch({ module: 'top-k', kernel: 'top_k_slice', blockThreads: THREADS, grid: (shape) => [slices, rowsOf(placed, shape), 1], args, writes: [ids, values, logSumExp] }),
    launch({ module: 'top-k', kernel: 'top_k_merge', blockThreads: THREADS, grid: (shape) => [rowsOf(placed, shape), 1, 1], args, writes: [ids, values, logSumExp] }),
  ]
}

export const sample: Kernel<'sample'> = ({ ids, values, logSumExp, settings, u, vocabSize, out, next }, { decl }) => {
  const count = widthOf(decl(ids))
  checkCount(count)
  return [
    launch({
      module: 'sample', kernel: 'sample', blockThreads: THREADS,
      grid: (shape) => [rowsOf(decl(ids), shape), 1, 1],
      args: [run, pointer(ids), pointer(values), pointer(logSumExp), pointer(settings), pointer(u), pointer(out), pointer(next), i32(count), i32(vocabSize)],
      writes: [out, next],
    }),
  ]
}

function checkCount(count: number): void {
  if (count > THREADS) throw new GemmaError('internal', `${count} candidates were asked for, and the kernel finds ${THREADS} at most. Ask for fewer.`)
}
