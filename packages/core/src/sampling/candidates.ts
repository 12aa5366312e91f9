import { GemmaError } from '../errors.ts'

/** The best allowed tokens of one position, and enough about the others to tell whether they matter. */
export interface Candidates {
  /** i32 [n], by (logit descending, id ascending). */
  readonly ids: Int32Array
  /** f32 [n], after adjustments; finite. */
  readonly logits: Float32Array
  /** log Σ exp(logit) over all allowed ids, also those not listed. −∞ when nothing is allowed. */
  readonly logSumExp: number
  /** Every allowed id is listed. Ids with logit −∞ do not count as allowed. */
  readonly complete: boolean
}

const notANumber = (what: string): GemmaError =>
  new GemmaError(
    'internal',
    `${what}, so no token can be chosen. The model file is damaged or the backend computed wrongly: ` +
      'try numerics "exact" or another backend, and report it if that helps.',
  )

/**
 * Host form of the `topK` step: the `count` best of `logits` f32 [vocab], all of them by default.
 *
 * @param mask u32 [⌈vocab/32⌉]: bit id set means allowed.
 * @throws GemmaError `internal` for a logit that is NaN or +∞.
 */
export function candidatesOf(logits: Float32Array, mask?: Uint32Array, count: number = logits.length): Candidates {
  if (logits.length > idLimit) {
    throw new GemmaError('unsupported-model', `The vocabulary has ${logits.length} tokens, sampling handles ${idLimit}: use another model.`)
  }
  const isAllowed = (id: number): boolean => mask === undefined || ((mask[id >>> 5] >>> (id & 31)) & 1) === 1
  let allowed = 0
  let max = -Infinity
  for (let id = 0; id < logits.length; id++) {
    const logit = logits[id]
    if (!(logit < Infinity)) throw notANumber(`The logit of token ${id} is ${logit}`)
    if (logit === -Infinity || !isAllowed(id)) continue
    allowed++
    if (logit > max) max = logit
  }
  let sum = 0
  const bits = new Uint32Array(logits.buffer, logits.byteOffset, logits.length)
  const keys = createSmallest(Math.min(count, allowed))
  for (let id = 0; id < logits.length; id++) {
    const logit = logits[id]
    if (logit === -Infinity || !isAllowed(id)) continue
    sum += Math.exp(logit - max)
    keys.add(sortKey(bits[id], id))
  }
  const ids = new Int32Array(keys.take().map((key) => key % idLimit))
  return {
    ids,
    logits: new Float32Array(ids.length).map((_, place) => logits[ids[place]]),
    logSumExp: allowed === 0 ? -Infinity : max + Math.log(sum),
    complete: ids.length === allowed,
  }
}

/**
 * Reads one row of the `topK` step's outputs. ids i32 [n] and values f32 [n]; id −1 marks places that nothing fills.
 *
 * @throws GemmaError `internal` for a NaN or +∞.
 */
export function candidatesOfStep(ids: Int32Array, values: Float32Array, logSumExp: number, vocabSize: number): Candidates {
  let length = 0
  while (length < ids.length && ids[length] >= 0 && values[length] !== -Infinity) {
    if (!(values[length] < Infinity)) throw notANumber(`The logit of token ${ids[length]} is ${values[length]}`)
    length++
  }
  if (!(logSumExp < Infinity)) throw notANumber(`The log-sum-exp of the logits is ${logSumExp}`)
  return { ids: ids.slice(0, length), logits: values.slice(0, length), logSumExp, complete: length < ids.length || ids.length >= vocabSize }
}

/** Ids below 2^21 and the 32 bits of a logit fit the 53 bits of a double. */
const idLimit = 2 ** 21

/** One number that sorts ascending by (logit descending, id ascending), so that a native numeric sort does the work. */
function sortKey(logitBits: number, id: number): number {
  const isNegative = logitBits > 0x80000000 // not −0, which ties with 0
  const descending = isNegative ? logitBits : 0x7fffffff - (logitBits & 0x7fffffff)
  return descending * idLimit + id
}

interface Smallest {
  add(key: number): void
  /** f64, ascending. */
  take(): Float64Array
}

/** Keeps the `count` smallest of many keys: collects twice as many, sorts, drops the worse half, and knows what need not be collected. */
function createSmallest(count: number): Smallest {
  const buffer = new Float64Array(2 * count)
  let length = 0
  let bound = count === 0 ? -Infinity : Infinity
  const prune = (): void => {
    buffer.subarray(0, length).sort()
    length = Math.min(length, count)
  }
  return {
    add(key) {
      if (key >= bound) return
      buffer[length++] = key
      if (length < buffer.length) return
      prune()
      bound = buffer[count - 1]
    },
    take() {
      prune()
      return buffer.subarray(0, length)
    },
  }
}
