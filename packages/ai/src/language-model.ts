import type { LanguageModelV4, LanguageModelV4CallOptions, LanguageModelV4ResponseMetadata, LanguageModelV4StreamPart, SharedV4Warning } from '@ai-sdk/provider'
import { type Gemma, GemmaError, type GenerateOptions, type GenerationResult, type GenerationStream } from '@facetjs/core'
import type { Lender, LoadHooks } from './gemma-source.ts'
import { finishReasonOf, metadataOf, usageOf } from './metadata.ts'
import { type Question, readPrompt } from './prompt.ts'
import { readDefaults, readSettings, settingsWarnings } from './settings.ts'

/** The one model of a provider, whatever the checkpoint: its name is in each response. */
export const modelId = 'gemma-3'

/** A text block has an id; an answer is one block. */
const textId = 'answer'

export interface LanguageModelArgs {
  readonly lender: Lender
  /** Defaults of every answer. */
  readonly generate: GenerateOptions
  readonly onProgress: LoadHooks['onProgress']
}

export function createLanguageModel(args: LanguageModelArgs): LanguageModelV4 {
  return {
    specificationVersion: 'v4',
    provider: 'facet',
    modelId,
    supportedUrls: {}, // the SDK downloads images
    async doGenerate(options) {
      const question = readPrompt(options.prompt)
      const [result, response] = await answer({ ...args, question, options, signal: options.abortSignal }, async (stream, gemma) => [await stream.result, responseOf(gemma)] as const)
      return {
        content: result.text === '' ? [] : [{ type: 'text', text: result.text }],
        finishReason: finishReasonOf(result),
        usage: usageOf(result),
        providerMetadata: { facet: metadataOf(result) },
        response,
        warnings: warningsOf(question, options),
      }
    },
    /** Rejects with what fails before the first part; what fails later is a part. */
    async doStream(options) {
      const question = readPrompt(options.prompt)
      const left = new AbortController()
      const signal = options.abortSignal === undefined ? left.signal : AbortSignal.any([options.abortSignal, left.signal])
      const begun = Promise.withResolvers<void>()
      const stream = new ReadableStream<LanguageModelV4StreamPart>({
        async start(controller) {
          controller.enqueue({ type: 'stream-start', warnings: warningsOf(question, options) })
          try {
            const result = await answer({ ...args, question, options, signal }, (answering, gemma) => writeText(controller, answering, gemma, begun.resolve))
            controller.enqueue({ type: 'finish', finishReason: finishReasonOf(result), usage: usageOf(result), providerMetadata: { facet: metadataOf(result) } })
          } catch (error) {
            begun.reject(error)
            if (signal.aborted) throw error
            controller.enqueue({ type: 'error', error })
          }
          begun.resolve()
          controller.close()
        },
        cancel: (reason) => left.abort(reason),
      })
      await begun.promise
      return { stream }
    },
  }
}

interface AnswerArgs extends LanguageModelArgs {
  readonly question: Question
  readonly options: LanguageModelV4CallOptions
  readonly signal: AbortSignal | undefined
}

/** Asks in a session of its own, whose cache the next one finds: it is given back before this returns. */
async function answer<T>({ lender, onProgress, generate, question, options, signal }: AnswerArgs, read: (stream: GenerationStream, gemma: Gemma) => Promise<T>): Promise<T> {
  signal?.throwIfAborted()
  const loan = lender.lend(onProgress)
  try {
    const gemma = await orAborted(loan.gemma, signal)
    const { system, messages, content } = question
    const session = gemma.chat({ ...(system !== undefined && { system }), messages, defaults: readDefaults(generate, options) })
    try {
      return await read(session.send(content, { ...readSettings(options), ...(signal && { signal }) }), gemma)
    } finally {
      await session.dispose()
    }
  } catch (error) {
    if (GemmaError.is(error, 'device-lost')) loan.discard()
    throw error
  } finally {
    loan.release()
  }
}

async function writeText(controller: ReadableStreamDefaultController<LanguageModelV4StreamPart>, stream: GenerationStream, gemma: Gemma, onBegun: () => void): Promise<GenerationResult> {
  controller.enqueue({ type: 'response-metadata', ...responseOf(gemma) })
  let isOpen = false
  for await (const part of stream) {
    onBegun()
    if (part.type !== 'text') continue
    if (!isOpen) controller.enqueue({ type: 'text-start', id: textId })
    isOpen = true
    controller.enqueue({ type: 'text-delta', id: textId, delta: part.text })
  }
  if (isOpen) controller.enqueue({ type: 'text-end', id: textId })
  return await stream.result
}

function responseOf({ name }: Gemma): LanguageModelV4ResponseMetadata {
  return { modelId: name, timestamp: new Date() }
}

function warningsOf({ warnings }: Question, options: LanguageModelV4CallOptions): SharedV4Warning[] {
  return [...settingsWarnings(options), ...warnings]
}

/** A load goes on when the one who waited for it has gone: the next question wants it too. */
async function orAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return await work
  const aborted = Promise.withResolvers<never>()
  const abort = (): void => aborted.reject(signal.reason)
  signal.addEventListener('abort', abort, { once: true })
  try {
    return await Promise.race([work, aborted.promise])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}
