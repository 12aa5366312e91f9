import { GemmaError } from '../errors.ts'
import { textBuffers } from '../graph/text-plan.ts'
import { idsOf, lengthOf } from './exchange.ts'
import { isImageKey } from './image-keys.ts'
import type { Inspection, InspectOptions, LayerAttention } from './inspection-types.ts'
import { namedLogprobs, readLogprobs } from './logits-reader.ts'
import { checkSaid, type LookArgs } from './look.ts'
import { fill, reusablePrefix, rollBack } from './prefill.ts'
import type { Probe } from './probe.ts'
import { checkRoom, type TextModel } from './text-model.ts'
import type { TokenLogprob } from './types.ts'
import { checkWhole } from './whole-number.ts'

/** One token once more through the model, stopping after each layer: what attention looked at there, and what the head makes of the residual stream. */
export async function inspectToken(args: LookArgs, { position = lengthOf(args.exchanges) - 1, lens = 5, attention }: InspectOptions): Promise<Inspection> {
  const { config, tokenizer, imageRows, signal } = args
  const ids = idsOf(args.exchanges)
  checkSaid(ids)
  checkWhole('position', position, 0, ids.length - 1)
  if (isImageKey(ids[position])) throw new GemmaError('invalid-argument', `Position ${position} is within a picture, whose tokens are read together. Give the position of a token of text.`)
  checkWhole('lens', lens, 0, config.vocabSize)
  if (attention !== undefined && !Array.isArray(attention)) throw new GemmaError('invalid-argument', 'attention is no list. Give an array of layers.')
  for (const layer of attention ?? []) checkWhole('A layer of attention', layer, 0, config.numHiddenLayers - 1)
  const wanted = new Set(attention ?? config.layerTypes.keys())

  const { model, cache } = await args.open()
  checkRoom(model.kv, position + 1)
  rollBack(cache, reusablePrefix(model, cache, ids.slice(0, position + 1)))
  await fill(model, cache, ids.slice(0, position), { imageRows: (key) => imageRows(key, { signal }), signal })

  const guesses: (readonly TokenLogprob[])[] = []
  const rows: LayerAttention[] = []
  const probe = await model.openProbe('inspect', cache.memory)
  try {
    const head = probe.plan.sections.findIndex(({ name }) => name === 'norm')
    cache.written = Math.max(cache.written, position + 1)
    await model.exclusive(() => probe.place(position, ids[position]), signal)
    for (let section = 0; section < head; section++) {
      const layer = section - 1 // the first one is the embedding
      await model.exclusive(async () => {
        await probe.run(section, section + 1)
        if (wanted.has(layer)) rows.push(await readAttention(model, probe, layer, position))
        if (lens === 0) return
        await probe.run(head, probe.plan.sections.length)
        const candidates = await probe.readCandidates()
        const found = await readLogprobs(probe, candidates, candidates.ids[0], lens)
        guesses.push(namedLogprobs(tokenizer, found).alternatives)
      }, signal)
    }
    cache.ids.push(ids[position])
  } finally {
    probe.dispose()
  }
  return { position, lens: guesses, attention: rows }
}

/** Of the layer that ran last. */
async function readAttention({ config, kv }: TextModel, { memory }: Probe, layer: number, position: number): Promise<LayerAttention> {
  const type = config.layerTypes[layer]
  const heads = config.numAttentionHeads
  const capacity = kv.capacities[layer]
  const end = position + 1
  const begin = type === 'local' ? Math.max(0, end - kv.slidingWindow) : 0
  const bySlot = new Float32Array(heads * capacity)
  await memory.read(textBuffers.probabilities[type], bySlot)
  const probabilities = new Float32Array(heads * (end - begin))
  for (let head = 0; head < heads; head++) {
    for (let at = begin; at < end; at++) probabilities[head * (end - begin) + at - begin] = bySlot[head * capacity + (at % capacity)]
  }
  return { layer, type, begin, end, heads, probabilities }
}
