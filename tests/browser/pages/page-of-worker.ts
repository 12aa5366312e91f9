/** The page's side of worker.ts. */
import { type ChatMessage, connectGemma, GemmaError, type Gemma, type GemmaClient, type GenerateOptions, type GenerationStream } from '@facetjs/core'
import { demoModel } from '@facetjs/demo-model'
import { type Answer, ask, endless } from './ask.ts'

export interface WorkerRequest {
  readonly workerAddress: string
  /** Names that the worker serves; several are tried in order. */
  readonly backend: string | readonly string[]
}

interface Running {
  readonly worker: Worker
  readonly client: GemmaClient
  readonly gemma: Gemma
}

const greedy: GenerateOptions = { temperature: 0, maxTokens: 64 }
const question = 'What is the opposite of night?'

async function start({ workerAddress, backend }: WorkerRequest): Promise<Running> {
  const worker = new Worker(workerAddress, { type: 'module' })
  const client = connectGemma(worker)
  const gemma = await client.load(demoModel.gguf, { backend, numerics: 'exact', mmproj: demoModel.mmproj })
  return { worker, client, gemma }
}

export async function answer(request: WorkerRequest): Promise<Answer & { readonly loadMs: number }> {
  const begin = performance.now()
  const { client, gemma } = await start(request)
  const loadMs = performance.now() - begin
  const result = await ask(gemma)
  await client.dispose()
  return { ...result, loadMs }
}

export interface Turn {
  readonly question: string
  /** Address of the picture that is shown with it. */
  readonly picture: string | null
  /** Of all turns but the last. */
  readonly answer?: string
}

export interface Reply {
  readonly streamed: string
  readonly ids: readonly number[]
}

/** The answer to each conversation's last question. */
export async function converse({ conversations, ...request }: WorkerRequest & { readonly conversations: readonly (readonly Turn[])[] }): Promise<readonly Reply[]> {
  const { client, gemma } = await start(request)
  const replies: Reply[] = []
  for (const turns of conversations) {
    const messages = (await Promise.all(turns.map(messagesOf))).flat()
    const [{ content }] = messages.splice(-1)
    await using chat = gemma.chat({ messages })
    const stream = chat.send(content, greedy)
    let streamed = ''
    for await (const piece of stream.textStream) streamed += piece
    replies.push({ streamed, ids: (await stream.result).ids })
  }
  await client.dispose()
  return replies
}

async function messagesOf({ question: text, picture, answer: reply }: Turn): Promise<readonly ChatMessage[]> {
  const content = picture === null ? text : [{ type: 'image' as const, image: await (await fetch(picture)).blob() }, { type: 'text' as const, text }]
  return [{ role: 'user', content }, ...(reply === undefined ? [] : [{ role: 'assistant', content: reply }])]
}

/** Reads until `count` pieces of text have come, does `act`, and says what the answer then fails with. */
async function failureAfter(stream: GenerationStream, count: number, act: () => void): Promise<unknown> {
  let heard = 0
  try {
    for await (const part of stream) if (part.type === 'text' && ++heard === count) act()
  } catch (error) {
    return await stream.result.then(
      () => 'the loop threw, the result did not',
      (reason: unknown) => (reason === error ? reason : 'the loop and the result threw different things'),
    )
  }
  return 'nothing'
}

export interface Endings {
  /** After leaving the loop over an endless answer, and whether what was said until then is in the session. */
  readonly finishReason: string
  readonly isKept: boolean
  /** Whether an aborted answer failed with the signal's own reason. */
  readonly isReason: boolean
  /** An answer after both. */
  readonly next: string
  /** What a session fails with whose model was disposed of, and loading with a client that was. */
  readonly later: readonly string[]
}

/** Stop, abort, dispose. */
export async function endings(request: WorkerRequest): Promise<Endings> {
  const { client, gemma } = await start(request)
  const chat = gemma.chat()
  const stream = chat.send('Tell me', endless)
  let heard = ''
  for await (const piece of stream.textStream) {
    heard += piece
    if (heard.length > 8) break
  }
  const { finishReason, text } = await stream.result
  const isKept = text.startsWith(heard) && chat.messages[1].content === text

  const controller = new AbortController()
  const reason = new Error('enough')
  const thrown = await failureAfter(gemma.generate('Tell me', { ...endless, signal: controller.signal }), 5, () => controller.abort(reason))
  const { text: next } = await gemma.chat().send(question, greedy).result

  await gemma.dispose()
  const ofSession = await codeOf(async () => await chat.send('More?').result)
  await client.dispose()
  return { finishReason, isKept, isReason: thrown === reason, next, later: [ofSession, await codeOf(() => client.load(demoModel.gguf, request))] }
}

/** The device goes in mid-answer; then recover(), and the session goes on. */
export async function recover(request: WorkerRequest): Promise<{ readonly failure: string; readonly before: string; readonly after: string; readonly messages: number }> {
  const { worker, client, gemma } = await start(request)
  const chat = gemma.chat()
  const { text: before } = await chat.send(question, greedy).result
  const failure = await failureAfter(chat.send('Tell me', endless), 2, () => worker.postMessage('lose the GPU'))
  await gemma.recover()
  const { text: after } = await chat.send('Count to 5.', greedy).result
  const messages = chat.messages.length
  await client.dispose()
  return { failure: GemmaError.is(failure) ? failure.code : String(failure), before, after, messages }
}

export async function terminate(request: WorkerRequest): Promise<readonly string[]> {
  const { worker, gemma } = await start(request)
  const thrown = await failureAfter(gemma.generate('Tell me', endless), 5, () => worker.terminate())
  const later = await gemma.countTokens('more').catch((error: unknown) => error)
  return [thrown, later].map((error) => (GemmaError.is(error) ? error.code : String(error)))
}

/** Which device a list of backends comes to. */
export async function deviceOf(request: WorkerRequest): Promise<{ readonly device: string; readonly text: string }> {
  const { client, gemma } = await start(request)
  const { text } = await gemma.chat().send(question, greedy).result
  await client.dispose()
  return { device: gemma.device.device, text }
}

async function codeOf(act: () => Promise<unknown>): Promise<string> {
  try {
    await act()
    return 'nothing'
  } catch (error) {
    return GemmaError.is(error) ? error.code : String(error)
  }
}
