import { GemmaError } from '../errors.ts'
import type { SamplingOptions } from '../sampling/options.ts'
import { validateSampling } from '../sampling/options.ts'
import type { Tokenizer } from '../tokenizer/tokenizer.ts'
import { type ImageKey, isImageKey } from './image-keys.ts'
import { namedLogprobs } from './logits-reader.ts'
import { prefill, reusablePrefix, rollBack } from './prefill.ts'
import { createRunAhead } from './run-ahead.ts'
import { createSampler } from './sampler.ts'
import { anyOf, checkSignal } from './signals.ts'
import { createStopFilter } from './stop-strings.ts'
import type { KvCache, TextModel } from './text-model.ts'
import type { GeneratedToken, GenerateOptions, GenerationResult, StreamPart } from './types.ts'
import type { EncodeOptions } from './vision-model.ts'
import { checkWhole } from './whole-number.ts'

export interface GenerateArgs {
  readonly model: TextModel
  readonly tokenizer: Tokenizer
  /** Opened by the caller at the session's first use. */
  readonly cache: KvCache
  /** Ids; an image's soft tokens are its key. */
  readonly prompt: readonly number[]
  /** Runs the tower if it has to. f32 [mmTokensPerImage, hiddenSize] */
  readonly imageRows: (key: ImageKey, options: EncodeOptions) => Promise<Float32Array>
  readonly options: GenerateOptions
  readonly endIds: ReadonlySet<number>
  readonly emit: (part: StreamPart) => void
  /** Ends generation at once, also within the prompt, but gently: what was said stays. */
  readonly stopped: AbortSignal
  /**
   * With `whenFull: 'slide'`: a shorter sequence to go on from, or undefined if nothing may go. `ids` is prompt and answer so far.
   */
  readonly makeRoom: (ids: readonly number[]) => readonly number[] | undefined
  /** Milliseconds that decoding the images took, before this. */
  readonly imageMs: number
}

/** The token loop: prefill, then pick and decode until an end token, a stop string, a limit, `stop()` or an abort. */
export async function generate(args: GenerateArgs): Promise<GenerationResult> {
  const { model, tokenizer, cache, options, endIds, emit, stopped } = args
  const { signal } = options
  const halt = anyOf(stopped, signal)
  const start = performance.now()
  const contextLength = model.kv.contextLength
  const maxTokens = options.maxTokens ?? Infinity
  let ids = fitPrompt({ ...args, contextLength, vocabSize: model.config.vocabSize })

  const answer: number[] = []
  const logprobs: GeneratedToken[] = []
  const decoder = tokenizer.decoder({ skipControls: true })
  const stopFilter = createStopFilter(typeof options.stop === 'string' ? [options.stop] : (options.stop ?? []))
  const sampler = createSampler(model, options, ids, options.logprobs)
  let text = ''
  const say = (piece: string): void => {
    if (piece === '') return
    text += piece
    emit({ type: 'text', text: piece, tokens: answer.length })
  }

  let imageMs = args.imageMs
  let imagesDone = 0
  const imageRows = async (key: ImageKey): Promise<Float32Array> => {
    const begin = performance.now()
    let isNew = false
    try {
      return await args.imageRows(key, {
        signal: halt,
        onProgress(progress) {
          isNew = true
          emit({ type: 'image', index: imagesDone, ...progress })
        },
      })
    } finally {
      if (isNew) imagesDone++
      imageMs += performance.now() - begin
    }
  }

  const ahead = sampler.onDevice && createRunAhead({ model, cache, ...sampler.onDevice, signal: halt })

  /** Brings the cache up to `ids` and picks the token after it. */
  const next = async (): Promise<number> => {
    if (ahead !== undefined && answer.length > 0 && cache.ids.length >= ids.length - 1) {
      const id = await ahead.next(ids, Math.min(maxTokens - answer.length, contextLength - ids.length))
      if (id !== undefined) {
        sampler.accept(id)
        return id
      }
    }
    const total = ids.length
    const choice = await prefill(
      model,
      cache,
      ids,
      {
        head: sampler.next(),
        imageRows,
        signal: halt,
        ...(answer.length === 0 && { onProgress: (done: number) => emit({ type: 'prefill', done, total }) }),
      },
      () => sampler.pick(),
    )
    if (choice.logprobs !== undefined) {
      const token = namedLogprobs(tokenizer, choice.logprobs)
      logprobs.push(token)
      emit({ type: 'token', token })
    }
    return choice.id
  }
  /** Keeps what the cache can of `ids`, after they changed. */
  const reuse = (): number => {
    const kept = reusablePrefix(model, cache, ids)
    rollBack(cache, kept)
    return kept
  }

  const promptTokens = ids.length
  const cachedTokens = reuse()
  let finishReason: GenerationResult['finishReason'] = 'length'
  let stopString: string | undefined
  let firstTokenAt: number | undefined
  let lastTokenAt: number | undefined
  try {
    while (answer.length < maxTokens) {
      if (ids.length >= contextLength) {
        const shorter = options.whenFull === 'slide' ? args.makeRoom(ids) : undefined
        if (shorter === undefined) break
        ids = [...shorter]
        reuse()
      }
      const id = await next().catch((error: unknown) => {
        if (error !== stopped.reason) throw error
      })
      if (id === undefined) {
        finishReason = 'stopped'
        break
      }
      lastTokenAt = performance.now()
      firstTokenAt ??= lastTokenAt
      answer.push(id)
      if (endIds.has(id)) {
        finishReason = 'stop'
        break
      }
      ids.push(id)
      const { emit: piece, stop } = stopFilter.push(decoder.push(id))
      say(piece)
      if (stop !== undefined) {
        finishReason = 'stop'
        stopString = stop
        break
      }
    }
  } finally {
    await ahead?.settle(ids)
  }
  if (stopString === undefined) {
    const tail = stopFilter.push(decoder.flush())
    say(tail.emit)
    if (tail.stop === undefined) say(stopFilter.flush())
    else [finishReason, stopString] = ['stop', tail.stop]
  }

  const end = performance.now()
  const timeToFirstTokenMs = (firstTokenAt ?? end) - start + args.imageMs
  const prefillMs = timeToFirstTokenMs - imageMs
  const decodeMs = (lastTokenAt ?? end) - (firstTokenAt ?? end)
  const decoded = Math.max(0, answer.length - 1)
  const perSecond = (tokens: number, ms: number): number => (ms > 0 ? (tokens / ms) * 1000 : 0)
  return {
    text,
    ids: answer,
    finishReason,
    ...(stopString !== undefined && { stopString }),
    usage: { promptTokens, cachedTokens, generatedTokens: answer.length },
    timings: {
      imageMs,
      prefillMs,
      decodeMs,
      timeToFirstTokenMs,
      prefillTokensPerSecond: perSecond(firstTokenAt === undefined ? 0 : promptTokens - cachedTokens, prefillMs),
      decodeTokensPerSecond: perSecond(decoded, decodeMs),
    },
    ...(options.logprobs !== undefined && { logprobs }),
  }
}

/** An answer that was stopped before its turn came. */
export function unbegun(promptTokens: number, { logprobs }: GenerateOptions): GenerationResult {
  const timings = { imageMs: 0, prefillMs: 0, decodeMs: 0, timeToFirstTokenMs: 0, prefillTokensPerSecond: 0, decodeTokensPerSecond: 0 }
  return { text: '', ids: [], finishReason: 'stopped', usage: { promptTokens, cachedTokens: 0, generatedTokens: 0 }, timings, ...(logprobs !== undefined && { logprobs: [] }) }
}

/** The prompt as ids, shortened if the policy allows it. @throws GemmaError `context-overflow`, `invalid-argument` */
export function fitPrompt({ prompt, options, makeRoom, contextLength, vocabSize }: Pick<GenerateArgs, 'prompt' | 'options' | 'makeRoom'> & { readonly contextLength: number; readonly vocabSize: number }): number[] {
  if (prompt.length === 0) throw new GemmaError('invalid-argument', 'The prompt is empty and the tokenizer has no <bos>. Give at least one token.')
  checkIds(prompt.filter((id) => !isImageKey(id)), vocabSize)
  if (prompt.length < contextLength) return [...prompt]
  const shorter = options.whenFull === 'slide' ? makeRoom(prompt) : undefined
  if (shorter !== undefined && shorter.length < contextLength) return [...shorter]
  throw overflow('The prompt has', prompt.length, contextLength)
}

/** @throws GemmaError `context-overflow` where images alone do not fit: said before they are decoded, of which each takes memory. */
export function checkImageTokens(tokens: number, contextLength: number, { whenFull }: GenerateOptions): void {
  if (tokens >= contextLength && whenFull !== 'slide') throw overflow('The images alone take', tokens, contextLength)
}

function overflow(what: string, promptTokens: number, contextLength: number): GemmaError {
  return new GemmaError(
    'context-overflow',
    `${what} ${promptTokens} tokens and the context holds ${contextLength}, one of them for the answer. Load the model with a larger contextLength, shorten the prompt, or pass whenFull: 'slide'.`,
    { details: { promptTokens, contextLength } },
  )
}

/** @throws GemmaError `invalid-argument` for an id without a row in the embedding table. */
export function checkIds(ids: readonly number[], vocabSize: number): void {
  const at = Array.from(ids).findIndex((id) => !Number.isInteger(id) || id < 0 || id >= vocabSize)
  if (at === -1) return
  throw new GemmaError('invalid-argument', `Token id ${ids[at]} (number ${at}) has no row in the model's embedding table of ${vocabSize}. Give ids from 0 to ${vocabSize - 1}.`)
}

/** Fills in defaults and refuses nonsense before anything runs. Without a temperature: 1 if any sampling option is given, else greedy. */
export function resolveOptions(...layers: readonly (GenerateOptions | undefined)[]): GenerateOptions {
  const merged: GenerateOptions = Object.assign({}, ...layers.map((layer) => Object.fromEntries(Object.entries(layer ?? {}).filter(([, value]) => value !== undefined))))
  const shaping: readonly (keyof SamplingOptions)[] = ['topK', 'topP', 'minP', 'seed']
  const options: GenerateOptions = { temperature: shaping.some((name) => merged[name] !== undefined) ? 1 : 0, ...merged }
  validateSampling(options)
  checkWhole('maxTokens', options.maxTokens, 1)
  checkWhole('logprobs', options.logprobs, 0)
  if (options.stop !== undefined && typeof options.stop !== 'string' && !Array.isArray(options.stop)) {
    throw new GemmaError('invalid-argument', `stop is ${String(options.stop)}. Give a string or an array of strings.`)
  }
  checkSignal(options.signal)
  if (options.whenFull !== undefined && options.whenFull !== 'error' && options.whenFull !== 'slide') {
    throw new GemmaError('invalid-argument', `whenFull is ${JSON.stringify(options.whenFull)}. Give 'error' or 'slide'.`)
  }
  return options
}
