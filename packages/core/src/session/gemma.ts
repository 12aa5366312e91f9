import type { Backend } from '../backend.ts'
import { GemmaError } from '../errors.ts'
import { type ChatTemplate, createChatTemplate } from '../tokenizer/chat-template.ts'
import { controlNames, stockPieceCount } from '../tokenizer/control-tokens.ts'
import type { TextRange, Tokenizer } from '../tokenizer/tokenizer.ts'
import type { Checkpoint } from '../weights/checkpoint.ts'
import { isCheckpoint, type ModelInput, openModel } from '../weights/open-model.ts'
import { createChatSession, imageParts, refuseImages, type SessionContext } from './chat-session.ts'
import { checkIds, checkImageTokens, generate, resolveOptions } from './generate.ts'
import { createGenerationStream } from './generation-stream.ts'
import { createImageEncoder, type ImageEncoder } from './image-encoder.ts'
import { cutBetweenImages, isImageKey } from './image-keys.ts'
import { createPromptEncoder, type EncodedPrompt, type PromptEncoder, rowsOf } from './prompt-encoder.ts'
import { type KvCache, loadTextModel, type TextModel } from './text-model.ts'
import type { CompletionOptions, GenerateOptions, GenerationStream, Gemma as GemmaInterface, LoadOptions, Session } from './types.ts'
import { createVisionModel } from './vision-model.ts'

export type Gemma = GemmaInterface

const DEFAULT_CONTEXT = 8192
const DEFAULT_CHUNK = 512

/** The entry to everything: `await Gemma.load('model.gguf', { backend: reference() })`. */
export const Gemma: {
  /**
   * Opens a checkpoint (local path in Node, URL, Blob, bytes; GGUF or safetensors, unmodified) and puts it on a device.
   * @throws GemmaError `invalid-model`, `unsupported-model`, `download-failed`, `backend-unavailable`, `out-of-memory`,
   * `invalid-argument`; the signal's reason when aborted. Nothing stays allocated then.
   */
  load(model: ModelInput, options: LoadOptions): Promise<Gemma>
} = { load }

async function load(input: ModelInput, options: LoadOptions): Promise<Gemma> {
  checkOptions(options)
  const { signal, onProgress } = options
  onProgress?.({ phase: 'open', loaded: 0, total: 1 })
  const checkpoint = await openModel(input, { ...(signal && { signal }), ...(options.mmproj !== undefined && { mmproj: options.mmproj }) })
  const isOurs = !isCheckpoint(input)
  /** A file that was read and cannot be closed harms nobody. */
  const close = async (): Promise<void> => {
    if (isOurs) await checkpoint.close().catch(() => {})
  }
  let backend: Backend | undefined
  try {
    const tokenizer = await checkpoint.tokenizer()
    const template = createChatTemplate(checkpoint.chatTemplate, {
      bos: tokenizer.controls.bos === undefined ? '' : tokenizer.pieceOf(tokenizer.controls.bos),
      eos: tokenizer.controls.eos === undefined ? '' : tokenizer.pieceOf(tokenizer.controls.eos),
    })
    onProgress?.({ phase: 'open', loaded: 1, total: 1 })
    backend = await options.backend.open({ numerics: options.numerics ?? 'fast', ...(signal && { signal }) })
    const trained = checkpoint.config.text.maxPositionEmbeddings
    const contextLength = options.contextLength ?? Math.min(trained, DEFAULT_CONTEXT)
    if (contextLength > trained) {
      throw new GemmaError('invalid-argument', `contextLength is ${contextLength}, but ${checkpoint.name} was trained on ${trained} positions. Give at most ${trained}.`)
    }
    const { vision } = checkpoint.config
    const model = await loadTextModel(checkpoint, backend, {
      contextLength,
      chunk: Math.min(Math.max(options.prefillChunk ?? DEFAULT_CHUNK, vision?.mmTokensPerImage ?? 1), contextLength),
      allows: (id) => id < tokenizer.size && id !== tokenizer.controls.imageSoftToken,
      ...(signal && { signal }),
      ...(onProgress && { onProgress }),
    })
    if (vision === undefined) {
      await close()
      return createGemma({ checkpoint, backend, tokenizer, template, model, prompts: createPromptEncoder({ tokenizer }) })
    }
    const encoder = createImageEncoder(createVisionModel(checkpoint, vision, backend, close))
    const softTokenId = checkpoint.config.imageTokenId ?? tokenizer.controls.imageSoftToken ?? stockPieceCount
    const prompts = createPromptEncoder({ tokenizer, images: { encoder, softTokenId, tokensPerImage: vision.mmTokensPerImage, style: options.imagePrompt ?? 'hf' } })
    return createGemma({ checkpoint, backend, tokenizer, template, model, prompts, images: { encoder, close } })
  } catch (error) {
    await backend?.dispose().catch(() => {}) // the first error is the one to tell
    await close()
    throw error
  }
}

function checkOptions(options: LoadOptions | undefined): void {
  const { backend, numerics, contextLength, prefillChunk, imagePrompt } = options ?? {}
  if (typeof backend?.open !== 'function') throw new GemmaError('invalid-argument', 'No backend was given. Pass one, for example { backend: reference() }.')
  if (numerics !== undefined && numerics !== 'exact' && numerics !== 'fast') {
    throw new GemmaError('invalid-argument', `numerics is ${String(numerics)}. Give 'exact' or 'fast'.`)
  }
  if (imagePrompt !== undefined && imagePrompt !== 'hf' && imagePrompt !== 'google') {
    throw new GemmaError('invalid-argument', `imagePrompt is ${String(imagePrompt)}. Give 'hf' or 'google'.`)
  }
  for (const [name, value, least] of [['contextLength', contextLength, 2], ['prefillChunk', prefillChunk, 1]] as const) {
    if (value !== undefined && !(Number.isInteger(value) && value >= least)) throw new GemmaError('invalid-argument', `${name} is ${value}. Give a whole number of at least ${least}.`)
  }
}

interface Parts {
  readonly checkpoint: Checkpoint
  readonly backend: Backend
  readonly tokenizer: Tokenizer
  readonly template: ChatTemplate
  readonly model: TextModel
  readonly prompts: PromptEncoder
  /** Of a model that sees. `close`: the files that the tower is read from. */
  readonly images?: { readonly encoder: ImageEncoder; readonly close: () => Promise<void> }
}

function createGemma({ checkpoint, backend, tokenizer, template, model, prompts, images }: Parts): Gemma {
  const { config } = checkpoint
  const endIds = new Set([...tokenizer.endIds, ...(checkpoint.generation.eosTokenIds ?? [])])
  const { temperature, topK, topP } = checkpoint.generation
  const defaults: GenerateOptions = { ...(temperature !== undefined && { temperature }), ...(topK !== undefined && { topK }), ...(topP !== undefined && { topP }) }
  const open = new Set<Session>()
  /** A cache that no completion uses now: the next one may find its prompt's beginning there. */
  let idle: KvCache | undefined
  let disposed: Promise<void> | undefined
  const checkOpen = (): void => {
    if (disposed !== undefined) throw new GemmaError('disposed', 'This model was disposed of. Load it again with Gemma.load().')
  }
  const context: SessionContext = { model, tokenizer, template, prompts, config, endIds, defaults, open }
  const { bos } = tokenizer.controls
  const completionPrompt = (prompt: string | readonly number[], { images: parts = [] }: CompletionOptions, resolved: GenerateOptions): Promise<EncodedPrompt> => {
    const { signal } = resolved
    if (!Array.isArray(parts)) throw new GemmaError('invalid-argument', 'images is no list. Give an array of images.')
    const pictures = parts.map((part) => (typeof part === 'object' && part !== null && 'image' in part ? part : { image: part }))
    checkImageTokens(pictures.length * (config.vision?.mmTokensPerImage ?? 0), model.kv.contextLength, resolved)
    refuseImages(pictures.length === 0 ? [] : [{ role: 'user', content: pictures.map((picture) => ({ type: 'image', ...picture })) }], config)
    if (typeof prompt !== 'string') {
      if (!Array.isArray(prompt)) throw new GemmaError('invalid-argument', 'The prompt is neither a text nor token ids. Give a string or an array of numbers.')
      checkIds(prompt, Math.max(config.text.vocabSize, tokenizer.size, (config.imageTokenId ?? 0) + 1))
      return prompts.place(prompt, pictures, signal)
    }
    const text = `${bos === undefined ? '' : tokenizer.pieceOf(bos)}${prompt}`
    return prompts.encode({ text, protect: writtenText(text, text.length - prompt.length, pictures.length > 0) }, pictures, signal)
  }
  const running = new Set<GenerationStream>()

  const gemma: Gemma = {
    name: checkpoint.name,
    config: checkpoint.config,
    contextLength: model.kv.contextLength,
    device: { backend: backend.name, device: backend.device, numerics: backend.numerics },
    chat(options = {}) {
      checkOpen()
      return createChatSession(context, options)
    },
    generate(prompt, options = {}) {
      checkOpen()
      const stream = createGenerationStream(async (emit, stopped) => {
        const { images: _, ...rest } = options
        const resolved = resolveOptions(defaults, rest)
        resolved.signal?.throwIfAborted()
        const start = performance.now()
        const { ids, images: shown } = await completionPrompt(prompt, options, resolved)
        const imageMs = shown.size > 0 ? performance.now() - start : 0
        const taken = idle
        idle = undefined // before anything is awaited: another completion may look for it
        const cache = taken ?? (await model.openCache())
        try {
          return await generate({
            model,
            tokenizer,
            cache,
            prompt: ids,
            imageRows: (key, each) => rowsOf(shown, key, each),
            imageMs,
            options: resolved,
            endIds,
            emit,
            stopped,
            makeRoom: (all) => halve(all, model.kv.contextLength),
          })
        } finally {
          if (idle === undefined && disposed === undefined) idle = cache
          else cache.dispose()
        }
      })
      running.add(stream)
      void stream.result.catch(() => {}).then(() => running.delete(stream))
      return stream
    },
    async countTokens(input) {
      checkOpen()
      if (typeof input === 'string') return tokenizer.encode(input, { controls: false }).length
      refuseImages(input, config)
      const { ids } = await prompts.encode(template.render(input, { addGenerationPrompt: true }), imageParts(input))
      return ids.length
    },
    dispose() {
      disposed ??= (async () => {
        for (const stream of running) stream.stop()
        await Promise.all([...open].map((session) => session.dispose()))
        await Promise.allSettled([...running].map((stream) => stream.result))
        idle?.dispose()
        await images?.encoder.dispose()
        await images?.close()
        await model.dispose()
      })()
      return disposed
    },
    [Symbol.asyncDispose]: () => gemma.dispose(),
  }
  return gemma
}

/** What of a completion's prompt must not become control tokens: all that was written, but for the images' places if there are images. */
function writtenText(text: string, begin: number, places: boolean): TextRange[] {
  const ranges: TextRange[] = []
  const name = controlNames.startOfImage
  for (let at = begin; at < text.length; ) {
    const next = places ? text.indexOf(name, at) : -1
    if (next !== at) ranges.push({ begin: at, end: next < 0 ? text.length : next })
    at = next < 0 ? text.length : next + name.length
  }
  return ranges
}

/**
 * A plain completion's window: its first token (`<bos>`) and the newest half of the context, less what is left of an image. Undefined if
 * that is nothing.
 */
function halve(ids: readonly number[], contextLength: number): readonly number[] | undefined {
  const keep = Math.max(1, Math.floor(contextLength / 2))
  let from = Math.max(1, ids.length - keep)
  while (cutBetweenImages(ids, from) !== from) from++
  const window = [...ids.slice(0, 1).filter((id) => !isImageKey(id)), ...ids.slice(from)]
  return window.length === 0 ? undefined : window
}
