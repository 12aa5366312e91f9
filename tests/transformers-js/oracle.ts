/** transformers.js as an independent Gemma 3 tokenizer, chat template and image processor. It runs no model here. */
import { existsSync, readFileSync } from 'node:fs'
import { relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const manifest = new URL('node_modules/@huggingface/transformers/package.json', import.meta.url)

/** Why it cannot be asked; undefined where it can. */
export const whyNoOracle: string | undefined = existsSync(manifest)
  ? undefined
  : 'transformers.js is not installed: `pnpm install --dir tests/transformers-js`'

/** Of transformers.js. */
export function readVersion(): string {
  const { version }: { readonly version: string } = JSON.parse(readFileSync(manifest, 'utf8'))
  return version
}

export interface TextMessage {
  readonly role: string
  readonly content: string | readonly { readonly type: string; readonly text?: string }[]
}

export interface TextOracle {
  /** Adds no `<bos>`. */
  encode(text: string): number[]
  decode(ids: readonly number[]): string
  /** @throws Error for a conversation that the template refuses */
  render(messages: readonly TextMessage[], addGenerationPrompt: boolean): string
  /** Its Gemma3Processor: places of images in a rendered prompt become so many soft tokens each, as HF spells them. */
  encodeWithImages(text: string, tokensPerImage: number): Promise<number[]>
}

/** @param folder with tokenizer.json and tokenizer_config.json */
export async function openTextOracle(folder: string): Promise<TextOracle> {
  const { AutoTokenizer, env, Gemma3Processor } = await import('@huggingface/transformers')
  env.allowRemoteModels = false
  env.localModelPath = root
  const tokenizer = await AutoTokenizer.from_pretrained(relative(root, folder))
  return {
    encode: (text) => tokenizer.encode(text, { add_special_tokens: false }),
    decode: (ids) => (ids.length === 0 ? '' : tokenizer.decode([...ids], { skip_special_tokens: false, clean_up_tokenization_spaces: false })),
    render(messages, addGenerationPrompt) {
      const conversation = messages.map(({ role, content }) => ({ role, content: typeof content === 'string' ? content : content.map(({ type, text = '' }) => ({ type, text })) }))
      return tokenizer.apply_chat_template(conversation, { tokenize: false, add_generation_prompt: addGenerationPrompt })
    },
    async encodeWithImages(text, tokensPerImage) {
      const processor = new Gemma3Processor({ image_seq_length: tokensPerImage }, { tokenizer, image_processor: () => Promise.resolve({}) }, null)
      const { input_ids: ids } = await processor(text, [], { add_special_tokens: false })
      return Array.from(ids.data, Number)
    },
  }
}

/** @returns [3, imageSize, imageSize], as the tower takes it */
export type ImageOracle = (file: string, imageSize: number) => Promise<Float32Array>

/** @param folder with preprocessor_config.json */
export async function openImageOracle(folder: string): Promise<ImageOracle> {
  const { AutoImageProcessor, env, RawImage } = await import('@huggingface/transformers')
  env.allowRemoteModels = false
  env.localModelPath = root
  const processor = await AutoImageProcessor.from_pretrained(relative(root, folder), {})
  return async (file, imageSize) => {
    processor.size = { width: imageSize, height: imageSize }
    const { pixel_values: pixels } = await processor(await RawImage.read(file))
    if (!(pixels.data instanceof Float32Array)) throw new TypeError(`pixel_values are ${pixels.type}`)
    return pixels.data
  }
}
