import { checkIds, type CompletionOptions, createGenerationStream, type Gemma, GemmaError, type GenerationStream, refuseImages, type Session } from '@facetjs/core/session'
import { hearAnswer } from './answer.ts'
import type { Endpoint } from './endpoint.ts'
import type { Json } from './json.ts'
import { findModel, type ModelCard } from './model-card.ts'
import type { Remote } from './remote.ts'
import { createRemoteSession } from './remote-session.ts'
import { checkOptions, completionFields, dialectOf, samplingFields } from './request.ts'
import { detokenize, roomAfter, tokenize } from './tokens.ts'
import { cannot } from './unsupported.ts'

export interface RemoteGemmaArgs {
  readonly endpoint: Endpoint
  readonly card: ModelCard
  readonly contextLength: number
}

/** The model behind an endpoint, as a `Gemma`. */
export function createRemoteGemma({ endpoint, card, contextLength }: RemoteGemmaArgs): Gemma {
  const { config } = card
  const dialect = dialectOf(card.ownedBy)
  const open = new Set<Session>()
  const remote: Remote = { endpoint, card, dialect, contextLength, open }
  const running = new Set<GenerationStream>()
  /** Aborted when the model is disposed of. */
  const end = new AbortController()
  const checkOpen = (): void => {
    if (end.signal.aborted) throw end.signal.reason
  }

  const gemma: Gemma = {
    name: card.id,
    config,
    contextLength,
    device: card.device,
    tensors: new Map(),
    chat(options = {}) {
      checkOpen()
      return createRemoteSession(remote, options)
    },
    generate(prompt, options = {}) {
      checkOpen()
      const stream = createGenerationStream(async (emit, stopped) => {
        const { images, ...rest } = options
        const resolved = checkOptions([rest], remote)
        resolved.signal?.throwIfAborted()
        refusePictures(images, remote)
        checkPrompt(prompt, remote)
        const bodyOf = (maxTokens: number | undefined): Json => ({ model: card.id, ...samplingFields(resolved, dialect), ...completionFields({ ...resolved, ...(maxTokens !== undefined && { maxTokens }) }), prompt })
        const bodyWithin = async (signal: AbortSignal): Promise<Json> => bodyOf(await roomAfter(remote, prompt, signal))
        const { maxTokens } = resolved
        return await hearAnswer({
          endpoint,
          path: '/v1/completions',
          body: maxTokens === undefined ? bodyWithin : () => bodyOf(maxTokens), // the protocol's default is 16
          withinContext: maxTokens === undefined ? undefined : bodyWithin,
          options: resolved,
          emit,
          stopped,
        })
      })
      running.add(stream)
      void stream.result.catch(() => {}).then(() => running.delete(stream))
      return stream
    },
    countTokens: async (input) => (await gemma.tokenize(input)).length,
    async tokenize(input, { bos = false } = {}) {
      checkOpen()
      return await tokenize(remote, input, { bos })
    },
    async detokenize(ids) {
      checkOpen()
      return await detokenize(remote, ids)
    },
    profile() {
      checkOpen()
      return cannot('measure what a token costs')
    },
    async recover({ signal } = {}) {
      checkOpen()
      const found = await findModel(endpoint, { model: card.id, config }, signal)
      if (dialectOf(found.ownedBy).speaksVllm !== dialect.speaksVllm) throw new GemmaError('invalid-model', `${endpoint.host} is another server than before (${found.ownedBy}). Connect to it anew.`)
    },
    async dispose() {
      end.abort(new GemmaError('disposed', 'This model was disposed of. Connect to it again with connect().'))
      for (const stream of running) stream.stop()
      await Promise.all([...open].map((session) => session.dispose()))
      await Promise.allSettled([...running].map((stream) => stream.result))
    },
    [Symbol.asyncDispose]: () => gemma.dispose(),
  }
  return gemma
}

/** @throws GemmaError `unsupported`, since the protocol's completions take text only */
function refusePictures(images: CompletionOptions['images'], { card }: Remote): void {
  if (images === undefined || (Array.isArray(images) && images.length === 0)) return
  if (!Array.isArray(images)) throw new GemmaError('invalid-argument', 'images is no list. Give an array of images.')
  refuseImages([{ role: 'user', content: [{ type: 'image', image: new Uint8Array() }] }], card.config)
  throw new GemmaError('unsupported', 'An endpoint completes text only. Show it pictures in a chat: gemma.chat().send([image, text]).')
}

function checkPrompt(prompt: string | readonly number[], { card: { config } }: Remote): void {
  if (typeof prompt === 'string') return
  if (!Array.isArray(prompt)) throw new GemmaError('invalid-argument', 'The prompt is neither a text nor token ids. Give a string or an array of numbers.')
  checkIds(prompt, config.text.vocabSize)
}
