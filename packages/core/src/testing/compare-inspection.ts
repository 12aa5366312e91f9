import type { BackendFactory, Numerics } from '../backend.ts'
import { inspectToken } from '../session/inspect-token.ts'
import { placeImages } from '../session/prompt-encoder.ts'
import { loadTextModel } from '../session/text-model.ts'
import { imageKeys, imageTokenId, traceImages } from '../session/trace-images.ts'
import { createVisionModel } from '../session/vision-model.ts'
import type { Checkpoint } from '../weights/checkpoint.ts'
import type { NamedTensors } from '../weights/write-safetensors.ts'
import type { HfFixture } from './hf-fixture.ts'

/** Largest |Δ|; ∞ where something else was looked at. */
export interface InspectionDifference {
  /** Of a probability. */
  readonly attention: number
  /** Of a log-probability of HF's best tokens. */
  readonly lens: number
}

export interface CompareInspectionOptions {
  readonly numerics: Numerics
  /** Most rows per run, and never less than an image. */
  readonly chunk: number
}

/** Looks at the tokens of a fixture (fixtures/attention, made of the prompt of a model's `HfFixture`) and compares with what HF saw. */
export async function compareInspection(checkpoint: Checkpoint, factory: BackendFactory, { ids, pixels }: HfFixture['options'], expected: NamedTensors, { numerics, chunk }: CompareInspectionOptions): Promise<InspectionDifference> {
  const { text, vision } = checkpoint.config
  const backend = await factory.open({ numerics })
  const model = await loadTextModel(checkpoint, backend, { contextLength: ids.length, chunk: Math.min(Math.max(chunk, vision?.mmTokensPerImage ?? 1), ids.length) })
  const placed = vision === undefined ? ids : placeImages(ids, imageKeys(pixels, vision), await imageTokenId(checkpoint), vision.mmTokensPerImage)
  const images = vision === undefined || pixels === undefined ? undefined : await traceImages(createVisionModel(checkpoint, vision, backend), pixels.data, text.hiddenSize)
  const cache = await model.openCache()
  const data = (name: string): ArrayLike<number> => expected.get(name)?.data ?? []
  const [, layers, heads, rows] = expected.get('attention')?.shape ?? []
  const [, , top] = expected.get('lens_ids')?.shape ?? []
  const worst = { attention: 0, lens: 0 }
  try {
    for (const [p, position] of Array.from(data('positions')).entries()) {
      const found = await inspectToken(
        {
          config: text,
          tokenizer: { decode: String },
          exchanges: [{ ids: placed, answerBegin: placed.length, pictures: [] }],
          endIds: new Set(),
          open: async () => ({ model, cache }),
          imageRows: async (key) => images?.rows.get(key) ?? new Float32Array(),
          signal: new AbortController().signal,
        },
        { position, lens: text.vocabSize },
      )
      if (found.attention.length !== layers || found.lens.length !== layers + 1) return { attention: Infinity, lens: Infinity }
      for (const { layer, begin, end, probabilities } of found.attention) {
        for (let head = 0; head < heads; head++) {
          for (let at = 0; at < rows; at++) {
            const seen = at >= begin && at < end ? probabilities[head * (end - begin) + at - begin] : 0
            worst.attention = Math.max(worst.attention, Math.abs(seen - data('attention')[((p * layers + layer) * heads + head) * rows + at]))
          }
        }
      }
      for (const [layer, guesses] of found.lens.entries()) {
        const logprobs = new Map(guesses.map(({ id, logprob }) => [id, logprob]))
        for (let i = 0; i < top; i++) {
          const at = (p * (layers + 1) + layer) * top + i
          worst.lens = Math.max(worst.lens, Math.abs((logprobs.get(data('lens_ids')[at]) ?? Infinity) - data('lens_logprobs')[at]))
        }
      }
    }
    return worst
  } finally {
    cache.dispose()
    await model.dispose()
  }
}
