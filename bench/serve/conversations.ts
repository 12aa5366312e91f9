/** What the clients of a load test ask, and HF's answers over the same weights. */
import { readFileSync } from 'node:fs'

const fixtures = new URL('../../packages/core/fixtures/demo/', import.meta.url)

interface Turn {
  readonly question: string
  readonly answer?: string
  readonly picture: string | null
}

interface Row {
  readonly turns: readonly Turn[]
  readonly gguf: { readonly text: string; readonly ids: readonly number[] }
}

export interface Conversation {
  /** The body of a request to /v1/chat/completions. */
  readonly body: string
  readonly answer: string
}

/** Conversations of up to `turns` turns, as many with pictures as without. */
export function readConversations(turns: number, model: string): readonly Conversation[] {
  const rows = ['text-expected.json', 'images-expected.json'].map((name): Row[] => JSON.parse(readFileSync(new URL(name, fixtures), 'utf8')).rows.filter((row: Row) => row.turns.length <= turns))
  const count = Math.min(...rows.map(({ length }) => length))
  return rows.flatMap((kind) => kind.slice(0, count)).map((row) => ({ body: JSON.stringify({ model, temperature: 0, max_tokens: row.gguf.ids.length, messages: row.turns.flatMap(messagesOf) }), answer: row.gguf.text }))
}

function messagesOf({ question, answer, picture }: Turn): object[] {
  const image = (name: string): object => ({ type: 'image_url', image_url: { url: `data:image/png;base64,${readFileSync(new URL(`pictures/${name}`, fixtures)).toString('base64')}` } })
  const content = picture === null ? question : [image(picture), { type: 'text', text: question }]
  return [{ role: 'user', content }, ...(answer === undefined ? [] : [{ role: 'assistant', content: answer }])]
}
