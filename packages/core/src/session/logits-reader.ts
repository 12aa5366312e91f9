import type { Memory } from '../backend.ts'
import { GemmaError } from '../errors.ts'
import { TOP_K, textBuffers } from '../graph/text-plan.ts'
import { type Candidates, candidatesOf, candidatesOfStep } from '../sampling/candidates.ts'
import { type Logprobs, logprobsOf } from '../sampling/logprobs.ts'
import type { Tokenizer } from '../tokenizer/tokenizer.ts'
import type { GeneratedToken, TokenLogprob } from './types.ts'

/** What a run of the head leaves. */
export interface LogitsReader {
  /** The best candidates of taken row `row`, after a run that took it. */
  readCandidates(row?: number): Promise<Candidates>
  /** All logits [vocabSize] of taken row `row`, unadjusted. */
  readLogits(row?: number): Promise<Float32Array>
  /** Bit set: may be sampled. u32 [⌈vocabSize/32⌉] */
  readonly mask: Uint32Array
}

export function createLogitsReader(memory: Memory, vocabSize: number, mask: Uint32Array): LogitsReader {
  return {
    mask,
    async readCandidates(row = 0) {
      const count = Math.min(TOP_K, vocabSize)
      const found = { ids: new Int32Array(count), logits: new Float32Array(count), logSumExp: new Float32Array(1) }
      await Promise.all([
        memory.read(textBuffers.topIds, found.ids, row),
        memory.read(textBuffers.topLogits, found.logits, row),
        memory.read(textBuffers.logSumExp, found.logSumExp, row),
      ])
      return candidatesOfStep(found.ids, found.logits, found.logSumExp[0], vocabSize)
    },
    async readLogits(row = 0) {
      const logits = new Float32Array(vocabSize)
      await memory.read(textBuffers.logits, logits, row)
      return logits
    },
  }
}

/**
 * The model's own distribution, over all ids that may be sampled.
 * @param candidates of the raw logits, if they are known
 */
export async function readLogprobs(reader: LogitsReader, candidates: Candidates | undefined, id: number, alternatives: number): Promise<Logprobs> {
  let found = candidates === undefined ? 'incomplete' : logprobsOf(candidates, id, alternatives)
  if (found === 'incomplete') found = logprobsOf(candidatesOf(await reader.readLogits(), reader.mask), id, alternatives)
  if (found === 'incomplete') throw new GemmaError('internal', 'All logits do not give a log-probability. Please report this.')
  return found
}

/** With the tokens' texts. */
export function namedLogprobs(tokenizer: Pick<Tokenizer, 'decode'>, { chosen, alternatives }: Logprobs): GeneratedToken {
  const named = ({ id, logprob }: Logprobs['chosen']): TokenLogprob => ({ id, text: tokenizer.decode([id]), logprob })
  return { ...named(chosen), alternatives: alternatives.map(named) }
}
