import { imageSpans } from './image-keys.ts'

/** A picture of the conversation: the how many-th it is, and how many views of it there are: the whole, then its crops. */
export interface ShownPicture {
  readonly index: number
  readonly views: number
}

/** One question with its answer and what closes it. Its ids (of images: keys) never change again. */
export interface Exchange {
  readonly ids: readonly number[]
  /** Where in `ids` the answer begins; at the end, where there is none yet. */
  readonly answerBegin: number
  /** In the order in which they are among `ids`. */
  readonly pictures: readonly ShownPicture[]
}

export function idsOf(exchanges: readonly Exchange[]): number[] {
  return exchanges.flatMap(({ ids }) => ids)
}

export function lengthOf(exchanges: readonly Exchange[]): number {
  return exchanges.reduce((sum, { ids }) => sum + ids.length, 0)
}

/** @param views of each picture. @param first what the first one's index is */
export function shownPictures(views: readonly number[], first: number): ShownPicture[] {
  return views.map((count, i) => ({ index: first + i, views: count }))
}

/** Cuts a prompt, which ends with the header of the answer's turn, before each question: turns alternate, the user's come first. */
export function splitExchanges(ids: readonly number[], startOfTurn: number, pictures: readonly ShownPicture[]): Exchange[] {
  const starts = ids.flatMap((id, i) => (id === startOfTurn ? [i] : [])).filter((_, turn) => turn % 2 === 0)
  const headerLength = ids.length - ids.lastIndexOf(startOfTurn)
  const cuts = [0, ...starts.slice(1), ids.length]
  let shown = 0
  return cuts.slice(1).map((end, i) => {
    const own = ids.slice(cuts[i], end)
    const first = shown
    for (let spans = imageSpans(own).length; spans > 0; shown++) spans -= pictures[shown]?.views ?? spans
    return { ids: own, answerBegin: own.lastIndexOf(startOfTurn) + headerLength, pictures: pictures.slice(first, shown) }
  })
}

/**
 * The exchanges without the oldest, until a quarter of the context is free; the first one stays if it carries the system text,
 * and `<bos>` (the first id) always does. Undefined if nothing can go.
 */
export function dropOldest(exchanges: readonly Exchange[], currentLength: number, contextLength: number, keepFirst: boolean): Exchange[] | undefined {
  const head = keepFirst ? exchanges.slice(0, 1) : exchanges.slice(0, 1).map(({ ids }) => ({ ids: ids.slice(0, 1), answerBegin: 1, pictures: [] }))
  let rest = exchanges.slice(1)
  const used = (): number => lengthOf([...head, ...rest]) + currentLength
  while (rest.length > 0 && used() > contextLength * 0.75) rest = rest.slice(1)
  return used() < contextLength ? [...head, ...rest] : undefined
}
