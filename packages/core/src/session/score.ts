import { GemmaError } from '../errors.ts'
import { answerStart } from './context-view.ts'
import { idsOf } from './exchange.ts'
import { isImageKey } from './image-keys.ts'
import type { ScoreOptions, TokenScore } from './inspection-types.ts'
import { namedLogprobs, readLogprobs } from './logits-reader.ts'
import { checkSaid, type LookArgs } from './look.ts'
import { prefill, reusablePrefix, rollBack } from './prefill.ts'
import { checkRoom } from './text-model.ts'
import { checkWhole } from './whole-number.ts'

/** Reads tokens one after the other: what did the model foretell where each stands? An image's soft tokens, which are never foretold, are left out. */
export async function scoreTokens(args: LookArgs, { alternatives = 5, onProgress, ...range }: ScoreOptions): Promise<readonly TokenScore[]> {
  const { tokenizer, imageRows, signal } = args
  const ids = idsOf(args.exchanges)
  const { begin, end } = rangeOf(args, ids, range)
  checkWhole('alternatives', alternatives, 0, args.config.vocabSize)
  const positions = ids.slice(0, end).flatMap((id, position) => (position < begin || isImageKey(id) ? [] : [position]))
  const total = positions.length
  if (total === 0) return []

  const { model, cache } = await args.open()
  checkRoom(model.kv, positions[total - 1])
  const options = { head: {}, imageRows: (key: number) => imageRows(key, { signal }), signal }
  const scores: TokenScore[] = []
  rollBack(cache, reusablePrefix(model, cache, ids.slice(0, positions[0])))
  onProgress?.({ done: 0, total })
  for (const position of positions) {
    const found = await prefill(model, cache, ids.slice(0, position), options, async () => readLogprobs(model, await model.readCandidates(), ids[position], alternatives))
    scores.push({ position, ...namedLogprobs(tokenizer, found) })
    onProgress?.({ done: scores.length, total })
  }
  return scores
}

/** Default: the last answer, without what closes it. */
function rangeOf({ exchanges, endIds }: LookArgs, ids: readonly number[], { begin, end }: ScoreOptions): { readonly begin: number; readonly end: number } {
  checkSaid(ids)
  checkWhole('begin', begin, 1, ids.length) // nothing foretells the first token
  checkWhole('end', end, 1, ids.length)
  const from = begin ?? answerStart(exchanges) ?? 1
  const closing = ids.findIndex((id, position) => position >= from && endIds.has(id))
  const range = { begin: from, end: end ?? (begin === undefined && closing >= 0 ? closing : ids.length) }
  if (range.begin > range.end) throw new GemmaError('invalid-argument', `The positions from ${range.begin} to ${range.end} are none. Give a begin that is not after the end.`)
  return range
}
