import type { Backend } from '../backend.ts'
import { GemmaError } from '../errors.ts'
import { type ChatTemplate, createChatTemplate } from '../tokenizer/chat-template.ts'
import { controlNames, stockPieceCount } from '../tokenizer/control-tokens.ts'
import type { ImagePromptStyle } from '../tokenizer/image-prompt.ts'
import type { TextRange, Tokenizer } from '../tokenizer/tokenizer.ts'
import type { Checkpoint } from '../weights/checkpoint.ts'
import { isCheckpoint, type ModelInput, openModel } from '../weights/open-model.ts'
import { type CachePool, createCachePool } from './cache-pool.ts'
import { imageParts, refuseImages } from './chat-input.ts'
import { createChatSession, type SessionContext } from './chat-session.ts'
import { estimate } from './estimate.ts'
import { checkIds, checkImageTokens, generate, resolveOptions } from './generate.ts'
import { createGenerationStream } from './generation-stream.ts'
import { createImageEncoder } from './image-encoder.ts'
import { cutBetweenImages, isImageKey } from './image-keys.ts'
import { type OnDevice, openBackend, putOnDevice, visionOf } from './on-device.ts'
import { profileModel } from './profile.ts'
import { createPromptEncoder, type EncodedPrompt, rowsOf } from './prompt-encoder.ts'
import { anyOf, checkSignal } from './signals.ts'
import type { KvCache, TextModel } from './text-model.ts'
import { checkWhole } from './whole-number.ts'
import type { CompletionOptions, GenerateOptions, GenerationStream, Gemma as GemmaInterface, LoadOptions, MemoryEstimate, Session } from './types.ts'

export type Gemma = GemmaInterface

/** The entry to everything: `await Gemma.load('model.gguf', { backend: reference() })`. */
export const Gemma: {
  /**
   * Opens a checkpoint (`hf:owner/repository`, local path in Node, URL, Blob, bytes; GGUF or safetensors, unmodified) and puts it on a device.
   * @throws GemmaError `invalid-model`, `unsupported-model`, `download-failed`, `out-of-storage`, `backend-unavailable`, `out-of-memory`,
   * `invalid-argument`; the signal's reason when aborted. Nothing stays allocated then.
   */
  load(model: ModelInput, options: LoadOptions): Promise<Gemma>
  /**
   * What `load` would take of the device, from the model's headers alone: no weight is read, nothing is downloaded to be kept.
   * @throws GemmaError as `load`; `out-of-memory` where the device cannot hold it, as far as it tells
   */
  estimate(model: ModelInput, options: LoadOptions): Promise<MemoryEstimate>
} = {
  load,
  async estimate(model, options) {
    checkOptions(options)
    const { mmproj: _, onProgress: __, ...rest } = options
    const checkpoint = await reopenToLook(model, options)
    try {
      return await estimate(checkpoint, rest)
    } finally {
      if (!isCheckpoint(model)) await checkpoint.close()
    }
  },
}

async function load(input: ModelInput, options: LoadOptions): Promise<Gemma> {
  checkOptions(options)
  const { onProgress, imagePrompt: style = 'hf', idleCaches = 1 } = options
  onProgress?.({ phase: 'open', loaded: 0, total: 1 })
  const backend = await openBackend(options) // first: without one, gigabytes would be fetched in vain
  let checkpoint: Checkpoint | undefined
  let device: OnDevice | undefined
  try {
    checkpoint = await reopen(input, options)
    const tokenizer = await checkpoint.tokenizer()
    const template = createChatTemplate(checkpoint.chatTemplate, {
      bos: tokenizer.controls.bos === undefined ? '' : tokenizer.pieceOf(tokenizer.controls.bos),
      eos: tokenizer.controls.eos === undefined ? '' : tokenizer.pieceOf(tokenizer.controls.eos),
    })
    onProgress?.({ phase: 'open', loaded: 1, total: 1 })
    device = await putOnDevice(checkpoint, tokenizer, !isCheckpoint(input), backend, options)
    return createGemma({ origin: originOf(input, options), checkpoint, tokenizer, template, device, style, caches: createCachePool(idleCaches) })
  } catch (error) {
    await (device ?? backend).dispose().catch(() => {}) // the first error is the one to tell
    if (!isCheckpoint(input)) await checkpoint?.close().catch(() => {})
    throw error
  }
}

function reopen(input: ModelInput, { signal, mmproj, token, endpoint, store, onProgress }: LoadOptions): Promise<Checkpoint> {
  return openModel(input, {
    ...(signal && { signal }),
    ...(mmproj !== undefined && { mmproj }),
    ...(token !== undefined && { token }),
    ...(endpoint !== undefined && { endpoint }),
    ...(store !== undefined && { store }),
    ...(onProgress && { onDownload: (progress) => onProgress({ phase: 'download', ...progress }) }),
  })
}

/** What the store has, from there; nothing else is kept. */
async function reopenToLook(input: ModelInput, options: LoadOptions): Promise<Checkpoint> {
  const { store, mmproj } = options
  if (typeof store !== 'object') return await reopen(input, { ...options, store: false })
  const isAddress = typeof input === 'string' || input instanceof URL
  const kept = isAddress ? await store.open(input, { mmproj: mmproj === undefined }).catch(() => undefined) : undefined
  return await reopen(kept ?? input, { endpoint: store.endpoint, ...options, store: false })
}

/** From where a recovery loads again, and how. */
interface Origin {
  readonly input: ModelInput
  readonly options: LoadOptions
}

/** Undefined for bytes, which are not kept: the model would be in memory twice. */
function originOf(input: ModelInput, { signal: _, onProgress: __, ...options }: LoadOptions): Origin | undefined {
  const isBytes = [input, options.mmproj].some((each) => each instanceof Uint8Array || each instanceof ArrayBuffer)
  return isBytes ? undefined : { input, options }
}

function checkOptions(options: LoadOptions | undefined): void {
  const { backend, numerics, contextLength, prefillChunk, idleCaches, imagePrompt } = options ?? {}
  if (typeof backend?.open !== 'function') throw new GemmaError('invalid-argument', 'No backend was given. Pass one, for example { backend: reference() }.')
  if (numerics !== undefined && numerics !== 'exact' && numerics !== 'fast') {
    throw new GemmaError('invalid-argument', `numerics is ${String(numerics)}. Give 'exact' or 'fast'.`)
  }
  if (imagePrompt !== undefined && imagePrompt !== 'hf' && imagePrompt !== 'google') {
    throw new GemmaError('invalid-argument', `imagePrompt is ${String(imagePrompt)}. Give 'hf' or 'google'.`)
  }
  checkWhole('contextLength', contextLength, 2)
  checkWhole('prefillChunk', prefillChunk, 1)
  checkWhole('idleCaches', idleCaches, 0)
}

interface Parts {
  readonly origin: Origin | undefined
  readonly checkpoint: Checkpoint
  readonly tokenizer: Tokenizer
  readonly template: ChatTemplate
  readonly device: OnDevice
  readonly style: ImagePromptStyle
  readonly caches: CachePool
}

function createGemma({ origin, checkpoint, tokenizer, template, style, caches, device: first }: Parts): Gemma {
  const { config } = checkpoint
  /** Replaced by `recover`. */
  let device = first
  const { contextLength } = device.model.kv
  const encoder = config.vision === undefined ? undefined : createImageEncoder(config.vision, (patches, options) => visionOf(device).encode(patches, options))
  const softTokenId = config.imageTokenId ?? tokenizer.controls.imageSoftToken ?? stockPieceCount
  const prompts = createPromptEncoder({ tokenizer, ...(encoder && { images: { encoder, softTokenId, tokensPerImage: config.vision?.mmTokensPerImage ?? 0, style } }) })
  const endIds = new Set([...tokenizer.endIds, ...(checkpoint.generation.eosTokenIds ?? [])])
  const { temperature, topK, topP } = checkpoint.generation
  const defaults: GenerateOptions = { ...(temperature !== undefined && { temperature }), ...(topK !== undefined && { topK }), ...(topP !== undefined && { topP }) }
  const open = new Set<Session>()
  let disposed: Promise<void> | undefined
  let recovering: Promise<void> | undefined
  /** A recovery failed. */
  let isLost = false
  const checkOpen = (): void => {
    if (end.signal.aborted) throw end.signal.reason
  }
  const textModel = async (): Promise<TextModel> => {
    await recovering?.catch(() => {})
    if (isLost) throw new GemmaError('device-lost', 'The model is on no device since recover() failed. Call recover() again.')
    return device.model
  }
  const giveBack = (model: TextModel, cache: KvCache): void => {
    if (disposed === undefined && model === device.model) caches.giveBack(model, cache)
    else cache.dispose()
  }
  const context: SessionContext = {
    model: textModel,
    takeCache: (model, ids) => caches.take(model, ids),
    giveBack,
    tokenizer,
    template,
    prompts,
    config,
    contextLength,
    softTokenId,
    endIds,
    defaults,
    open,
  }
  const { bos } = tokenizer.controls
  const idCount = Math.max(config.text.vocabSize, tokenizer.size, (config.imageTokenId ?? 0) + 1)
  const completionPrompt = (prompt: string | readonly number[], { images: parts = [] }: CompletionOptions, resolved: GenerateOptions): Promise<EncodedPrompt> => {
    const { signal } = resolved
    if (!Array.isArray(parts)) throw new GemmaError('invalid-argument', 'images is no list. Give an array of images.')
    const pictures = parts.map((part) => (typeof part === 'object' && part !== null && 'image' in part ? part : { image: part }))
    checkImageTokens(pictures.length * (config.vision?.mmTokensPerImage ?? 0), contextLength, resolved)
    refuseImages(pictures.length === 0 ? [] : [{ role: 'user', content: pictures.map((picture) => ({ type: 'image', ...picture })) }], config)
    if (typeof prompt !== 'string') {
      if (!Array.isArray(prompt)) throw new GemmaError('invalid-argument', 'The prompt is neither a text nor token ids. Give a string or an array of numbers.')
      checkIds(prompt, idCount)
      return prompts.place(prompt, pictures, signal)
    }
    const text = `${bos === undefined ? '' : tokenizer.pieceOf(bos)}${prompt}`
    return prompts.encode({ text, protect: writtenText(text, text.length - prompt.length, pictures.length > 0) }, pictures, signal)
  }
  const running = new Set<GenerationStream>()
  /** Aborted when the model is disposed of. */
  const end = new AbortController()
  const profiling = new Set<Promise<unknown>>()

  const gemma: Gemma = {
    name: checkpoint.name,
    config: checkpoint.config,
    tensors: checkpoint.tensors,
    contextLength,
    get device() {
      const { name, device: description, numerics } = device.backend
      return { backend: name, device: description, numerics }
    },
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
        const model = await textModel()
        const cache = await caches.take(model, ids)
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
            makeRoom: (all) => halve(all, contextLength),
          })
        } finally {
          giveBack(model, cache)
        }
      })
      running.add(stream)
      void stream.result.catch(() => {}).then(() => running.delete(stream))
      return stream
    },
    countTokens: async (input) => (await gemma.tokenize(input)).length,
    async tokenize(input, { bos: isBosWanted = false } = {}) {
      checkOpen()
      if (typeof input === 'string') return [...(isBosWanted && bos !== undefined ? [bos] : []), ...tokenizer.encode(input, { controls: false })]
      refuseImages(input, config)
      const { ids } = await prompts.encode(template.render(input, { addGenerationPrompt: true }), imageParts(input))
      return ids.map((id) => (isImageKey(id) ? softTokenId : id))
    },
    async detokenize(ids) {
      checkOpen()
      if (!Array.isArray(ids)) throw new GemmaError('invalid-argument', 'The ids are no list. Give an array of numbers.')
      checkIds(ids, idCount)
      return tokenizer.decode(ids)
    },
    async profile(options = {}) {
      checkOpen()
      checkSignal(options.signal)
      const signal = anyOf(end.signal, options.signal)
      const measured = textModel().then((model) => profileModel(model, checkpoint, { ...options, signal }))
      const ended: Promise<unknown> = measured.catch(() => {}).then(() => profiling.delete(ended))
      profiling.add(ended)
      return await measured
    },
    recover(options = {}) {
      checkOpen()
      recovering ??= (async () => {
        if (origin === undefined) throw new GemmaError('invalid-argument', 'This model was loaded from bytes, which are not kept. Load it again with Gemma.load(), from a Blob or a path if recover() is wanted.')
        caches.clear()
        isLost = true
        await device.dispose().catch(() => {}) // first: a device without memory needs it back
        const again = { ...origin.options, ...options }
        const opened = await reopen(origin.input, again)
        let backend: Backend | undefined
        try {
          if (JSON.stringify(opened.config) !== JSON.stringify(config)) throw new GemmaError('invalid-model', `${opened.name} is another model than was loaded. Load it with Gemma.load().`)
          backend = await openBackend(again)
          device = await putOnDevice(opened, tokenizer, !isCheckpoint(origin.input), backend, again)
          isLost = false
        } catch (error) {
          await backend?.dispose().catch(() => {})
          if (!isCheckpoint(origin.input)) await opened.close().catch(() => {})
          throw error
        }
      })().finally(() => {
        recovering = undefined
      })
      return recovering
    },
    dispose() {
      end.abort(new GemmaError('disposed', 'This model was disposed of. Load it again with Gemma.load().'))
      disposed ??= (async () => {
        for (const stream of running) stream.stop()
        await Promise.all([...open].map((session) => session.dispose()))
        await Promise.allSettled([...[...running].map((stream) => stream.result), ...profiling])
        await recovering?.catch(() => {})
        caches.clear()
        encoder?.forget()
        await device.dispose()
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
