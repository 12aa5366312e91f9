import { GemmaError } from '../errors.ts'
import { type Candidates, candidatesOf } from '../sampling/candidates.ts'
import type { Logprobs } from '../sampling/logprobs.ts'
import type { SamplingOptions } from '../sampling/options.ts'
import { type Adjustments, adjustmentsOf, applyAdjustments, createTokenCounts } from '../sampling/penalties.ts'
import { randomSeed, randomUnit } from '../sampling/random.ts'
import { sample } from '../sampling/sample.ts'
import { isImageKey } from './image-keys.ts'
import { readLogprobs } from './logits-reader.ts'
import { type DeviceChoice, fitsDevice, type TextModel } from './text-model.ts'

export interface Choice {
  readonly id: number
  /** Present when log-probabilities were asked for. */
  readonly logprobs?: Logprobs
}

/** One answer's sampler: knows its options, its seed and the tokens so far. */
export interface Sampler {
  /** What the next forward has to apply on the device. */
  next(): { readonly adjustments?: Adjustments }
  /** Reads the last forward's row and picks. Within the same task. */
  pick(): Promise<Choice>
  /** How the device may choose for itself; undefined where a choice depends on the ones before it, or more than an id is wanted. */
  readonly onDevice: { readonly adjustments?: Adjustments; choose(ahead: number): DeviceChoice } | undefined
  /** The device chose this one. */
  accept(id: number): void
}

/** @param options validated. @param logprobs how many alternatives to report; undefined: none, and no log-probabilities. */
export function createSampler(model: TextModel, options: SamplingOptions, prompt: readonly number[], logprobs: number | undefined): Sampler {
  const counts = createTokenCounts()
  counts.addPrompt(prompt.filter((id) => !isImageKey(id)))
  const seed = options.seed ?? randomSeed()
  const { vocabSize } = model.config
  let adjustments: Adjustments | undefined
  /** Of the token to pick, in the sequence as it would stand had nothing been dropped from a full context. */
  let position = prompt.length

  /** All logits, adjusted on the host: where the device's candidates do not suffice. */
  const allCandidates = async (): Promise<Candidates> => {
    const logits = await model.readLogits()
    return candidatesOf(adjustments === undefined ? logits : applyAdjustments(logits, adjustments), model.mask)
  }
  const { repetitionPenalty = 1, frequencyPenalty = 0, presencePenalty = 0, temperature = 1, topK = 0, topP = 1, minP = 0 } = options
  const isIndependent = repetitionPenalty === 1 && frequencyPenalty === 0 && presencePenalty === 0 && logprobs === undefined
  const constant = isIndependent ? adjustmentsOf(options, counts, vocabSize) : undefined
  const settings = Float32Array.of(temperature, topK, topP, minP)
  return {
    onDevice:
      model.runsAhead > 1 && isIndependent && fitsDevice(constant)
        ? { ...(constant && { adjustments: constant }), choose: (ahead) => ({ settings, u: randomUnit(seed, position + ahead) }) }
        : undefined,
    accept(id) {
      position++
      counts.addGenerated(id)
    },
    next() {
      adjustments = adjustmentsOf(options, counts, vocabSize)
      return adjustments !== undefined && fitsDevice(adjustments) ? { adjustments } : {}
    },
    async pick() {
      const u = randomUnit(seed, position++)
      let candidates = fitsDevice(adjustments) ? await model.readCandidates() : await allCandidates()
      let choice = sample(candidates, options, u)
      if (choice === 'incomplete') {
        candidates = await allCandidates()
        choice = sample(candidates, options, u)
      }
      if (choice === 'incomplete') throw new GemmaError('internal', 'All logits do not decide the next token. Please report this.')
      counts.addGenerated(choice.id)
      if (logprobs === undefined) return { id: choice.id }
      return { id: choice.id, logprobs: await readLogprobs(model, adjustments === undefined ? candidates : undefined, choice.id, logprobs) }
    },
  }
}
