import type { GenerateOptions, LoadProgress } from '@facetjs/core'
import { type ChatTransport, convertToModelMessages, createUIMessageStream, streamText, toUIMessageStream, type UIMessage } from 'ai'
import { createLender, type GemmaSource } from './gemma-source.ts'
import { createLanguageModel } from './language-model.ts'
import type { GemmaMetadata } from './metadata.ts'

/** Messages as the transport brings them: `useChat<GemmaUIMessage>`. The load's progress comes to `onData` as `data-progress`, and stays in no message. */
export type GemmaUIMessage = UIMessage<GemmaMetadata, { progress: LoadProgress }>

export interface GemmaTransportOptions {
  readonly gemma: GemmaSource
  /** The system text; a function is asked at each question. */
  readonly system?: string | (() => string | undefined)
  /** As `gemma.chat` takes them; a function is asked at each question. */
  readonly generate?: GenerateOptions | (() => GenerateOptions)
}

export interface GemmaTransport<M extends UIMessage = GemmaUIMessage> extends Omit<ChatTransport<M>, 'close'> {
  /** Frees the model if it was loaded here. The next question would load it again. */
  close(): Promise<void>
}

/** `useChat({ transport })` without a server. */
export function createGemmaTransport<M extends UIMessage = GemmaUIMessage>({ gemma, system, generate = {} }: GemmaTransportOptions): GemmaTransport<M> {
  const lender = createLender(gemma)
  return {
    sendMessages: async ({ messages, abortSignal }) =>
      createUIMessageStream({
        onError: messageOf,
        async execute({ writer }) {
          const instructions = typeof system === 'function' ? system() : system
          const { stream } = streamText({
            model: createLanguageModel({
              lender,
              generate: typeof generate === 'function' ? generate() : generate,
              onProgress: (data) => writer.write({ type: 'data-progress', data, transient: true }),
            }),
            messages: await convertToModelMessages(messages),
            allowSystemInMessages: true, // they are the page's own
            onError() {}, // useChat tells
            ...(instructions !== undefined && { instructions }),
            ...(abortSignal && { abortSignal }),
          })
          writer.merge(toUIMessageStream({ stream, onError: messageOf, messageMetadata: ({ part }) => (part.type === 'finish-step' ? part.providerMetadata?.['facet'] : undefined) }))
        },
      }),
    reconnectToStream: async () => null,
    close: () => lender.dispose(),
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
