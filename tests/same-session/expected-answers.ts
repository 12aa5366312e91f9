/** What HF transformers answers on the demo model's GGUF, greedily: `packages/core/fixtures/demo`. */
import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'

const fixtures = new URL('../../packages/core/fixtures/demo/', import.meta.url)

export interface ExpectedTurn {
  readonly question: string
  /** A file of `pictures/`. */
  readonly image?: string
  /** What was answered before; the last turn's is HF's. */
  readonly answer: string
}

export interface ExpectedConversation {
  readonly turns: readonly ExpectedTurn[]
  /** Of the prompt of the last turn. */
  readonly promptIds: readonly number[]
  /** The end token included. */
  readonly ids: readonly number[]
  /** Smallest gap between the two best logits on the way. */
  readonly margin: number
}

interface Row {
  readonly turns: readonly { readonly question: string; readonly picture: string | null; readonly answer?: string }[]
  readonly ids: readonly number[]
  readonly gguf: { readonly ids: readonly number[]; readonly text: string; readonly margin: number }
}

function conversationsOf(file: string): ExpectedConversation[] {
  const { rows }: { readonly rows: readonly Row[] } = JSON.parse(readFileSync(new URL(file, fixtures), 'utf8'))
  return rows.map(({ turns, ids: promptIds, gguf: { ids, text, margin } }) => ({
    turns: turns.map(({ question, picture: image, answer = text }) => ({ question, answer, ...(image !== null && { image }) })),
    promptIds,
    ids,
    margin,
  }))
}

/** Answers that hang on a smaller gap may turn on how another engine rounds, or resizes the picture. */
const certain = ({ margin }: ExpectedConversation): boolean => margin > 1

const withPictures = conversationsOf('images-expected.json')

export const textConversations: readonly ExpectedConversation[] = conversationsOf('text-expected.json').filter(certain)

/** One picture and one question. */
export const descriptions: readonly ExpectedConversation[] = withPictures.filter((conversation) => conversation.turns.length === 1 && conversation.turns[0].image !== undefined && certain(conversation)).slice(0, 8)

/** A picture and two more questions; every answer on the way is certain. */
export const conversations: readonly ExpectedConversation[] = withPictures
  .filter(({ turns }) => turns.length === 3)
  .filter((whole) => withPictures.filter(({ turns }) => turns[0].image === whole.turns[0].image).every(certain))
  .slice(0, 4)

export async function picture(file: string): Promise<Uint8Array> {
  return new Uint8Array(await readFile(new URL(`pictures/${file}`, fixtures)))
}

export async function contentOf({ question, image }: ExpectedTurn): Promise<string | (string | Uint8Array)[]> {
  return image === undefined ? question : [await picture(image), question]
}
