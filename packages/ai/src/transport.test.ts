import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { ChatTransport, UIMessage, UIMessageChunk } from 'ai'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { demo, endless, loadDemo, openDemo, readAll, spied, workerModule } from './demo.testing.ts'
import { createGemmaTransport } from './index.ts'

const night = 'What is the opposite of night?'

function user(text: string): UIMessage {
  return { id: text, role: 'user', parts: [{ type: 'text', text }] }
}

async function send(transport: ChatTransport<UIMessage>, messages: UIMessage[], abortSignal?: AbortSignal): Promise<AsyncIterable<UIMessageChunk>> {
  return readAll(await transport.sendMessages({ trigger: 'submit-message', chatId: 'one', messageId: undefined, messages, abortSignal }))
}

async function ask(transport: ChatTransport<UIMessage>, ...messages: UIMessage[]): Promise<UIMessageChunk[]> {
  const chunks: UIMessageChunk[] = []
  for await (const chunk of await send(transport, messages)) chunks.push(chunk)
  return chunks
}

const textOf = (chunks: readonly UIMessageChunk[]): string => chunks.map((chunk) => (chunk.type === 'text-delta' ? chunk.delta : '')).join('')

describe('sendMessages', () => {
  test('streams the answer with its usage and timings', async () => {
    const chunks = await ask(createGemmaTransport({ gemma: await openDemo() }), user(night))
    expect(textOf(chunks)).toBe('The opposite of night is day.')
    expect(chunks.map(({ type }) => type).filter((type, i, all) => type !== all[i - 1])).toEqual(['start', 'start-step', 'text-start', 'text-delta', 'text-end', 'message-metadata', 'finish-step', 'finish'])
    const metadata = chunks.find((chunk) => chunk.type === 'message-metadata')
    expect(metadata).toMatchObject({ messageMetadata: { usage: { cachedTokens: 0, generatedTokens: 7 }, timings: { decodeTokensPerSecond: expect.any(Number) } } })
  })

  test('system texts of the transport and of the page, and settings asked for at each question', async () => {
    const { gemma, sessions } = spied(await openDemo())
    let maxTokens = 1
    const transport = createGemmaTransport<UIMessage>({ gemma, system: () => `At most ${maxTokens}.`, generate: () => ({ maxTokens }) })
    const page: UIMessage = { id: 'page', role: 'system', parts: [{ type: 'text', text: 'Be kind.' }] }
    const count = async (): Promise<string> => textOf(await ask(transport, page, user('Count to 5.')))
    const short = await count()
    maxTokens = 3
    expect((await count()).length).toBeGreaterThan(short.length)
    expect(sessions.map(({ messages: [first] }) => first)).toEqual([{ role: 'system', content: 'At most 1.\n\nBe kind.' }, { role: 'system', content: 'At most 3.\n\nBe kind.' }])
  })

  test('tells what went wrong', async () => {
    const overflow = await ask(createGemmaTransport({ gemma: await openDemo({ contextLength: 64 }) }), user('long '.repeat(200)))
    expect(overflow).toContainEqual({ type: 'error', errorText: expect.stringContaining('the context holds 64') })
    const transport = createGemmaTransport<UIMessage>({ gemma: await openDemo() })
    const unfinished = await ask(transport, user(night), { id: 'a', role: 'assistant', parts: [{ type: 'text', text: 'The' }] })
    expect(unfinished).toContainEqual({ type: 'error', errorText: expect.stringContaining('End it with a user message') })
    const noUrl = await ask(transport, { id: 'a', role: 'user', parts: [{ type: 'file', mediaType: 'image/png', url: 'no url' }] })
    expect(noUrl).toMatchObject([{ type: 'error', errorText: expect.stringContaining('URL') }])
  })

  test('ends when it is aborted', async () => {
    const aborter = new AbortController()
    const { gemma, sessions } = spied(await openDemo())
    const types: string[] = []
    for await (const { type } of await send(createGemmaTransport({ gemma, generate: endless }), [user('Hello')], aborter.signal)) {
      types.push(type)
      if (type === 'text-delta') aborter.abort()
    }
    expect(types.at(-1)).toBe('abort')
    await vi.waitFor(() => expect(() => sessions[0].send('Hello')).toThrow('disposed'))
  })

  test('there is nothing to reconnect to', async () => {
    expect(await createGemmaTransport({ gemma: await openDemo() }).reconnectToStream({ chatId: 'one' })).toBeNull()
  })
})

describe('a model that is loaded at the first question', () => {
  test('in a worker, with its progress as data', async () => {
    const workers: Worker[] = []
    onTestFinished(() => void Promise.all(workers.map((each) => each.terminate())))
    const worker = (): Worker => {
      workers.push(new Worker(workerModule, { execArgv: ['--conditions=@facetjs/source'] }))
      return workers[workers.length - 1]
    }
    const transport = createGemmaTransport<UIMessage>({ gemma: { model: demo, worker, backend: ['absent', 'reference'], numerics: 'exact' } })
    expect(workers).toHaveLength(0)
    const chunks = await ask(transport, user(night))
    const isProgress = ({ type }: UIMessageChunk): boolean => type === 'data-progress'
    expect(chunks.filter(isProgress).map((chunk) => 'data' in chunk && 'transient' in chunk && [chunk.data, chunk.transient])).toContainEqual([{ phase: 'read', loaded: expect.any(Number), total: expect.any(Number) }, true])
    expect(textOf(chunks)).toBe('The opposite of night is day.')

    const answer: UIMessage = { id: 'answer', role: 'assistant', parts: [{ type: 'step-start' }, { type: 'text', text: textOf(chunks) }] }
    const second = await ask(transport, user(night), answer, user('Count to 5.'))
    expect(second.some(isProgress)).toBe(false)
    expect(second.find((chunk) => chunk.type === 'message-metadata')).toMatchObject({ messageMetadata: { usage: { cachedTokens: expect.toSatisfy((count: number) => count > 15) } } })
    expect(workers).toHaveLength(1)
    const ended = once(workers[0], 'exit')
    await transport.close()
    await ended
  })

  test('close() frees it', async () => {
    const disposed = vi.fn()
    const transport = createGemmaTransport<UIMessage>({
      async gemma(hooks) {
        const gemma = await loadDemo(hooks)
        return { ...gemma, dispose: () => gemma.dispose().then(disposed) }
      },
    })
    await ask(transport, user(night))
    await transport.close()
    expect(disposed).toHaveBeenCalledTimes(1)
  })
})
