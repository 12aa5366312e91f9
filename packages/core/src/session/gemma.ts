import type { Backend } from '../backend.ts'
import { GemmaError } from '../errors.ts'
import { type ChatTemplate, createChatTemplate } from '../tokenizer/chat-template.ts'
import type { Tokenizer } from '../tokenizer/tokenizer.ts'
import type { Checkpoint } from '../weights/checkpoint.ts'
import { isCheckpoint, type ModelInput, openModel } from '../weights/open-model.ts'
import { createChatSession, refuseImages, type SessionContext } from './chat-session.ts'
import { generate, resolveOptions } from './generate.ts'
import { createGenerationStream } from './generation-stream.ts'
import { type KvCache, loadTextModel, type TextModel } from './text-model.ts'
import type { GenerateOptions, GenerationStream, Gemma as GemmaInterface, LoadOptions, Session } from './types.ts'

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
  const checkpoint = await openModel(input, signal === undefined ? {} : { signal })
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
    const model = await loadTextModel(checkpoint, backend, {
      contextLength,
      chunk: Math.min(options.prefillChunk ?? DEFAULT_CHUNK, contextLength),
      allows: (id) => id < tokenizer.size && id !== tokenizer.controls.imageSoftToken,
      ...(signal && { signal }),
      ...(onProgress && { onProgress }),
    })
    return createGemma({ checkpoint, backend, tokenizer, template, model })
  } catch (error) {
    await backend?.dispose().catch(() => {}) // the first error is the one to tell
    throw error
  } finally {
    if (!isCheckpoint(input)) await checkpoint.close()
  }
}

function checkOptions(options: LoadOptions | undefined): void {
  const { backend, numerics, contextLength, prefillChunk } = options ?? {}
  if (typeof backend?.open !== 'function') throw new GemmaError('invalid-argument', 'No backend was given. Pass one, for example { backend: reference() }.')
  if (numerics !== undefined && numerics !== 'exact' && numerics !== 'fast') {
    throw new GemmaError('invalid-argument', `numerics is ${String(numerics)}. Give 'exact' or 'fast'.`)
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
}

function createGemma({ checkpoint, backend, tokenizer, template, model }: Parts): Gemma {
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
  const context: SessionContext = { model, tokenizer, template, endIds, defaults, open }
  const { bos } = tokenizer.controls
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
    generate(prompt, options) {
      checkOpen()
      const stream = createGenerationStream(async (emit, stopped) => {
        const resolved = resolveOptions(defaults, options)
        resolved.signal?.throwIfAborted()
        const ids = typeof prompt === 'string' ? [...(bos === undefined ? [] : [bos]), ...tokenizer.encode(prompt, { controls: false })] : prompt
        const taken = idle
        idle = undefined // before anything is awaited: another completion may look for it
        const cache = taken ?? (await model.openCache())
        try {
          return await generate({ model, tokenizer, cache, prompt: ids, options: resolved, endIds, emit, stopped, makeRoom: (all) => halve(all, model.kv.contextLength) })
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
      refuseImages(input)
      const { text, protect } = template.render(input, { addGenerationPrompt: true })
      return tokenizer.encode(text, { protect }).length
    },
    dispose() {
      disposed ??= (async () => {
        for (const stream of running) stream.stop()
        await Promise.all([...open].map((session) => session.dispose()))
        await Promise.allSettled([...running].map((stream) => stream.result))
        idle?.dispose()
        await model.dispose()
      })()
      return disposed
    },
    [Symbol.asyncDispose]: () => gemma.dispose(),
  }
  return gemma
}

/** A plain completion's window: its first token (`<bos>`) and the newest half of the context. */
function halve(ids: readonly number[], contextLength: number): readonly number[] {
  return [...ids.slice(0, 1), ...ids.slice(1).slice(-Math.max(1, Math.floor(contextLength / 2)))]
}
