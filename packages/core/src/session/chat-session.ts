import { GemmaError } from '../errors.ts'
import type { GemmaConfig } from '../graph/config.ts'
import { createTaskQueue } from '../task-queue.ts'
import { type ChatMessage, type ChatTemplate, renderContinuation } from '../tokenizer/chat-template.ts'
import type { Tokenizer } from '../tokenizer/tokenizer.ts'
import { createAnswering } from './answering.ts'
import { imageParts, initialMessages } from './chat-input.ts'
import { contextView } from './context-view.ts'
import { dropOldest, type Exchange, idsOf, lengthOf, shownPictures, splitExchanges } from './exchange.ts'
import { checkImageTokens, fitPrompt, generate, resolveOptions, unbegun } from './generate.ts'
import type { EncodedImage } from './image-encoder.ts'
import { type ImageKey, isImageKey } from './image-keys.ts'
import { inspectToken } from './inspect-token.ts'
import type { LookArgs } from './look.ts'
import { type PromptEncoder, rowsOf } from './prompt-encoder.ts'
import { scoreTokens } from './score.ts'
import { anyOf, checkSignal, untilAborted } from './signals.ts'
import type { KvCache, TextModel } from './text-model.ts'
import type { ChatOptions, GenerateOptions, GenerationResult, Session } from './types.ts'

/** What a session needs of its Gemma. */
export interface SessionContext {
  /** Another one after a recovery, which is waited for. */
  readonly model: () => Promise<TextModel>
  /** One that nobody uses now and that may hold the beginning of `ids`, else a new one. */
  readonly takeCache: (model: TextModel, ids: readonly number[]) => Promise<KvCache>
  /** Keeps it for who comes next, or ends it. */
  readonly giveBack: (model: TextModel, cache: KvCache) => void
  readonly tokenizer: Tokenizer
  readonly template: ChatTemplate
  readonly prompts: PromptEncoder
  readonly config: GemmaConfig
  readonly contextLength: number
  /** What a picture's soft tokens are called outside. */
  readonly softTokenId: number
  readonly endIds: ReadonlySet<number>
  readonly defaults: GenerateOptions
  /** Sessions that end when the model does. */
  readonly open: Set<Session>
}

interface Past {
  readonly messages: readonly ChatMessage[]
  readonly exchanges: readonly Exchange[]
  /** Those that the exchanges show. */
  readonly images: ReadonlyMap<ImageKey, EncodedImage>
}

interface Prompt {
  readonly past: readonly Exchange[]
  readonly prompt: Exchange // without an answer
  readonly images: ReadonlyMap<ImageKey, EncodedImage>
}

/** @throws GemmaError `invalid-chat` where `messages` is not a conversation to go on from. */
export function createChatSession(context: SessionContext, options: ChatOptions, past?: Past): Session {
  const { tokenizer, template, prompts, contextLength } = context
  let messages: ChatMessage[] = past === undefined ? initialMessages(options, context.config) : [...past.messages]
  /** Empty until the first answer: the whole past is rendered with the first question. */
  let exchanges: Exchange[] = [...(past?.exchanges ?? [])]
  let images = past?.images ?? new Map<ImageKey, EncodedImage>()
  /** Filled at the first answer, and anew after a recovery. */
  let opened: { readonly model: TextModel; readonly cache: Promise<KvCache> } | undefined
  const answering = createAnswering(context.config)
  /** Answers and looks, one after the other: they share the cache. */
  const inTurn = createTaskQueue()
  /** Aborted when the session is disposed of. */
  const end = new AbortController()

  const checkOpen = (): void => {
    if (end.signal.aborted) throw end.signal.reason
  }
  const openCache = async (ids: readonly number[]): Promise<{ readonly model: TextModel; readonly cache: KvCache }> => {
    const model = await context.model()
    if (opened?.model === model) return { model, cache: await opened.cache }
    const cache = context.takeCache(model, ids)
    cache.catch(() => {
      opened = undefined // the next send may find more memory
    })
    opened = { model, cache }
    return { model, cache: await cache }
  }
  /** The exchanges before a new question, and its ids. What closes the last answer belongs to the exchange before. */
  const promptAfter = async (user: ChatMessage, resolved: GenerateOptions): Promise<Prompt> => {
    const { signal } = resolved
    const last = exchanges.at(-1)
    const unread = last === undefined ? [...messages, user] : [user]
    const parts = imageParts(unread)
    checkImageTokens(parts.length * (context.config.vision?.mmTokensPerImage ?? 0), contextLength, resolved)
    if (last === undefined) {
      const encoded = await prompts.encode(template.render(unread, { addGenerationPrompt: true }), parts, signal)
      const turns = splitExchanges(encoded.ids, tokenizer.controls.startOfTurn, shownPictures(encoded.views, 0))
      return { past: turns.slice(0, -1), prompt: turns[turns.length - 1], images: encoded.images }
    }
    const { ids, images: added, views } = await prompts.encode(renderContinuation(template, messages, unread), parts, signal)
    const turn = Math.max(0, ids.indexOf(tokenizer.controls.startOfTurn))
    return {
      past: [...exchanges.slice(0, -1), { ...last, ids: [...last.ids, ...ids.slice(0, turn)] }],
      prompt: { ids: ids.slice(turn), answerBegin: ids.length - turn, pictures: shownPictures(views, imageParts(messages).length) },
      images: new Map([...images, ...added]),
    }
  }

  const answerTo = async (user: ChatMessage, sendOptions: GenerateOptions, emit: Parameters<typeof generate>[0]['emit'], stopped: AbortSignal): Promise<GenerationResult> => {
    const resolved = resolveOptions(context.defaults, options.defaults, sendOptions)
    resolved.signal?.throwIfAborted()
    const start = performance.now()
    const { past: before, prompt, images: shown } = await promptAfter(user, resolved)
    const imageMs = shown.size > images.size || imageParts([user]).length > 0 ? performance.now() - start : 0
    let kept = before
    const makeRoom = (ids: readonly number[]): readonly number[] | undefined => {
      const current = ids.slice(lengthOf(kept))
      const shorter = dropOldest(kept, current.length, contextLength, messages[0]?.role === 'system')
      if (shorter === undefined) return undefined
      kept = shorter
      return [...idsOf(kept), ...current]
    }
    // Before its turn: what does not fit is no part of the conversation, stopped or not.
    const asked = fitPrompt({ prompt: idsOf([...kept, prompt]), options: resolved, makeRoom, contextLength, vocabSize: context.config.text.vocabSize })
    const answer = async (): Promise<GenerationResult> => {
      const { model, cache } = await openCache(asked)
      return await generate({
        model,
        tokenizer,
        cache,
        prompt: asked,
        imageRows: (key, each) => rowsOf(shown, key, each),
        imageMs,
        options: resolved,
        endIds: context.endIds,
        emit,
        stopped,
        makeRoom,
      })
    }
    const result = await inTurn(answer, anyOf(stopped, resolved.signal)).catch((error: unknown) => {
      if (error !== stopped.reason) throw error
      return unbegun(asked.length, resolved)
    })
    messages = [...messages, user, { role: 'assistant', content: result.text }]
    exchanges = [...kept, { ...prompt, ids: [...prompt.ids, ...spokenIds(tokenizer, result, context.endIds)] }]
    const keys = new Set(idsOf(exchanges).filter(isImageKey))
    images = new Map([...shown].filter(([key]) => keys.has(key)))
    return result
  }

  /** What was said, as it stands before the next question. */
  const said = async (signal: AbortSignal): Promise<Pick<Prompt, 'past' | 'images'>> => {
    if (exchanges.length > 0) return { past: exchanges, images }
    return await promptAfter({ role: 'user', content: '?' }, { signal })
  }
  /** Between answers, and until the session is disposed of. */
  const look = async <T>(signal: AbortSignal | undefined, see: (args: LookArgs) => Promise<T>): Promise<T> => {
    checkOpen()
    checkSignal(signal)
    signal?.throwIfAborted()
    const halt = anyOf(end.signal, signal)
    if (answering.running !== undefined) await untilAborted(answering.running.result.catch(() => {}), halt)
    return await inTurn(async () => {
      const { past: seen, images: shown } = await said(halt)
      return await see({ config: context.config.text, tokenizer, exchanges: seen, endIds: context.endIds, open: () => openCache(idsOf(seen)), imageRows: (key, each) => rowsOf(shown, key, each), signal: halt })
    }, halt)
  }

  const session: Session = {
    get messages() {
      return messages
    },
    get contextUsage() {
      return { used: lengthOf(exchanges), total: contextLength }
    },
    send(content, sendOptions = {}) {
      checkOpen()
      return answering.send(content, (user, emit, stopped) => answerTo(user, sendOptions, emit, stopped))
    },
    async fork() {
      checkOpen()
      await answering.running?.result.catch(() => {})
      checkOpen()
      return createChatSession(context, options, { messages, exchanges, images })
    },
    context: () =>
      look(undefined, async ({ exchanges: seen }) => {
        const model = await context.model()
        return contextView({ model, tokenizer, exchanges: seen, softTokenId: context.softTokenId, cache: opened?.model === model ? await opened.cache : undefined })
      }),
    score: (scoreOptions = {}) => look(scoreOptions.signal, (args) => scoreTokens(args, scoreOptions)),
    inspect: (inspectOptions = {}) => look(inspectOptions.signal, (args) => inspectToken(args, inspectOptions)),
    async dispose() {
      end.abort(new GemmaError('disposed', 'This session was disposed of. Start another one with gemma.chat().'))
      context.open.delete(session)
      answering.running?.stop()
      await answering.running?.result.catch(() => {})
      await inTurn(() => {}) // what looked has ended
      const mine = opened
      opened = undefined
      const cache = await mine?.cache.catch(() => undefined)
      if (mine !== undefined && cache !== undefined) context.giveBack(mine.model, cache)
    },
    [Symbol.asyncDispose]: () => session.dispose(),
  }
  context.open.add(session)
  return session
}

/** The ids that stand for the answer's text: without an end token; encoded anew where a stop string cut the text, perhaps within a token. */
function spokenIds(tokenizer: Tokenizer, { ids, text, stopString }: GenerationResult, endIds: ReadonlySet<number>): readonly number[] {
  if (stopString !== undefined) return tokenizer.encode(text, { controls: false })
  return ids.filter((id, i) => i < ids.length - 1 || !endIds.has(id))
}
