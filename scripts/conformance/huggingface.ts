/** transformers.js as a witness for what no backend computes: tokenizer, template, image processor. Its rows of docs/conformance.md. */
import { readFileSync, writeFileSync } from 'node:fs'
import { installOracle } from '../install-oracle.ts'

export interface Agreement {
  readonly agree: number
  readonly of: number
}

export interface HuggingFaceResults {
  /** YYYY-MM-DD */
  readonly date: string
  readonly version: string
  /** Of Gemma 3's own tokenizer and of the demo model's. */
  readonly tokenizers: Readonly<Record<'Gemma 3' | 'demo model', { readonly ids: Agreement; readonly decoded: Agreement; readonly prompts: Agreement }>>
  /** The demo conversations with each picture as its soft tokens. */
  readonly imagePrompts: Agreement
  /** Pictures that are not resized. */
  readonly samePixels: Agreement
  /** Pictures that are, in levels of 0 … 255: over all of them. */
  readonly resized: { readonly pictures: number; readonly most: number; readonly mean: number }
}

/** The key of `--subject`. */
export const huggingFaceSubject = 'transformers.js'

const file = new URL('../../docs/conformance-transformers-js.json', import.meta.url)

/** Installs transformers.js where it is missing. */
export async function measureHuggingFace(): Promise<HuggingFaceResults> {
  installOracle()
  // Only now: a bundle for another machine has none of this.
  const ours = await import('../../tests/transformers-js/compare.ts')
  const { openImageOracle, openTextOracle, readVersion } = await import('../../tests/transformers-js/oracle.ts')
  const { randomTexts } = await import('../../tests/transformers-js/random-texts.ts')
  const texts = [...ours.fixtureTexts(), ...randomTexts(2000, 1)]
  const demo = ours.demoConversations()
  const agreement = (of: number, { length }: readonly unknown[]): Agreement => ({ agree: of - length, of })
  const measureText = async (folder: string): Promise<HuggingFaceResults['tokenizers']['Gemma 3']> => {
    const tokenizer = ours.openTokenizer(folder)
    const oracle = await openTextOracle(folder)
    const conversations = [...ours.fixtureConversations(), ...demo]
    return {
      ids: agreement(texts.length, ours.compareIds(tokenizer, oracle, texts)),
      decoded: agreement(texts.length, ours.compareDecoded(tokenizer, oracle, texts)),
      prompts: agreement(conversations.length, ours.comparePrompts(tokenizer, oracle, conversations)),
    }
  }
  const { demoFolder } = ours
  const pixels = await openImageOracle(demoFolder)
  const same: number[] = []
  const resized: { most: number; mean: number }[] = []
  for (const { file: picture, width, height } of ours.demoPictures()) {
    if (width === height) same.push((await ours.comparePixels(pixels, picture, width)).most)
    if (width !== 112) resized.push(await ours.comparePixels(pixels, picture, 112))
  }
  return {
    date: new Date().toISOString().slice(0, 10),
    version: readVersion(),
    tokenizers: { 'Gemma 3': await measureText(ours.realFolder()), 'demo model': await measureText(demoFolder) },
    imagePrompts: agreement(demo.length, await ours.compareImagePrompts(ours.openTokenizer(demoFolder), await openTextOracle(demoFolder), demo, 16)),
    samePixels: agreement(same.length, same.filter((most) => most > 0)),
    resized: {
      pictures: resized.length,
      most: Math.max(...resized.map(({ most }) => most)),
      mean: resized.reduce((sum, { mean }) => sum + mean, 0) / resized.length,
    },
  }
}

export function writeHuggingFace(results: HuggingFaceResults): void {
  writeFileSync(file, `${JSON.stringify(results, undefined, 1)}\n`)
}

/** A chapter of the report; empty where nothing was measured yet. */
export function renderHuggingFace(): string {
  const found = readHuggingFace()
  if (found === undefined) return ''
  const cell = ({ agree, of }: Agreement): string => `${agree} of ${of}`
  const { 'Gemma 3': real, 'demo model': demo } = found.tokenizers
  const { samePixels, resized } = found
  return `
## Beside transformers.js

What no backend computes, asked of transformers.js ${found.version} (${found.date}), which others wrote from the same models: fixtures' texts and 2000 random
ones, fixtures' and the demo model's conversations, the demo model's pictures.

| | Gemma 3 | demo model |
|---|---|---|
| text to ids | ${cell(real.ids)} | ${cell(demo.ids)} |
| ids to text | ${cell(real.decoded)} | ${cell(demo.decoded)} |
| prompts, ids | ${cell(real.prompts)} | ${cell(demo.prompts)} |
| prompts with each picture's soft tokens, ids | | ${cell(found.imagePrompts)} |
| pixel values, pictures of the tower's size | | ${cell(samePixels)} equal |
| pixel values, ${resized.pictures} resized pictures | | ${resized.mean.toFixed(1)} levels of 255 apart on average, ${resized.most.toFixed(0)} at most |

Each difference is known, and in each HF in Python agrees with us (\`tests/transformers-js\`): its decoder loses a byte order mark at the head of a run of byte
tokens, its template's \`trim\` is JavaScript's and not Python's, and its resize is libvips's affine map (half a source pixel off, no filter when it shrinks)
where HF has Pillow's. Prompts are compared before users' control tokens are protected, which only we do.
`
}

function readHuggingFace(): HuggingFaceResults | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}
