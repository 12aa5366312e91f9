// @vitest-environment happy-dom
import { useChat, type UseChatHelpers } from '@ai-sdk/react'
import type { ChatTransport, FileUIPart } from 'ai'
import { act, createElement, type ReactElement, StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { expect, onTestFinished, test, vi } from 'vitest'
import { endless, hfConversation, loadDemo, openDemo, pictureBytes } from './demo.testing.ts'
import { createGemmaTransport, type GemmaUIMessage } from './index.ts'

const night = 'What is the opposite of night?'
const answer = 'The opposite of night is day.'

interface Page {
  readonly chat: () => UseChatHelpers<GemmaUIMessage>
  /** What is on the page: the status, then each message as `role: text [metadata's generated tokens]`. */
  readonly lines: () => string[]
  /** Types and phases of data that came. */
  readonly data: readonly string[]
}

async function open(transport: ChatTransport<GemmaUIMessage>): Promise<Page> {
  let last: UseChatHelpers<GemmaUIMessage> | undefined
  const data: string[] = []
  function Chat(): ReactElement {
    const chat = useChat({ transport, onData: ({ type, data: { phase } }) => void data.push(`${type} ${phase}`) })
    last = chat
    const messages = chat.messages.map(({ id, role, parts, metadata }) => {
      const text = parts.flatMap((part) => (part.type === 'text' ? [part.text] : part.type === 'file' ? [`<${part.mediaType}>`] : [])).join('')
      return createElement('p', { key: id }, `${role}: ${text}${metadata === undefined ? '' : ` [${metadata.usage.generatedTokens}]`}`)
    })
    return createElement('main', null, createElement('p', null, chat.status), ...messages)
  }
  const container = document.body.appendChild(document.createElement('div'))
  const root = createRoot(container)
  const inAct = async (work: () => void): Promise<void> => {
    vi.stubGlobal('IS_REACT_ACT_ENVIRONMENT', true)
    await act(async () => work())
    vi.stubGlobal('IS_REACT_ACT_ENVIRONMENT', false) // from here on React works as in a page
  }
  await inAct(() => root.render(createElement(StrictMode, null, createElement(Chat))))
  onTestFinished(async () => {
    await inAct(() => root.unmount())
    container.remove()
  })
  return {
    data,
    lines: () => [...container.querySelectorAll('p')].map(({ textContent }) => textContent),
    chat() {
      if (last === undefined) throw new Error('Nothing was rendered.')
      return last
    },
  }
}

function eventually(check: () => void): Promise<void> {
  return vi.waitFor(check, { timeout: 20_000, interval: 10 })
}

test('loads at the first question with progress, streams, and answers the next one from its cache', async () => {
  const load = vi.fn(loadDemo)
  const transport = createGemmaTransport({ gemma: load })
  onTestFinished(() => transport.close())
  const { chat, lines, data } = await open(transport)
  expect(lines()).toEqual(['ready'])
  expect(load).not.toHaveBeenCalled()

  const sent = chat().sendMessage({ text: night })
  await eventually(() => expect(lines()[0]).toBe('submitted'))
  await sent
  await eventually(() => expect(lines()).toEqual(['ready', `user: ${night}`, `assistant: ${answer} [7]`]))
  expect(data).toEqual(expect.arrayContaining(['data-progress open', 'data-progress read', 'data-progress repack']))
  expect(chat().messages[1].parts.map(({ type }) => type)).toEqual(['step-start', 'text']) // no data stays

  await chat().sendMessage({ text: 'Count to 5.' })
  await eventually(() => expect(chat().messages[3]?.metadata?.usage.cachedTokens).toBeGreaterThan(15))
  expect(load).toHaveBeenCalledTimes(1)
})

test('shows the answer as it grows; stop() keeps what was said, and the talk goes on', async () => {
  let generate = endless
  const { chat, lines } = await open(createGemmaTransport({ gemma: await openDemo(), generate: () => generate }))
  const sent = chat().sendMessage({ text: 'Hello' })
  await eventually(() => expect(lines()).toEqual(['streaming', 'user: Hello', expect.stringMatching(/^assistant: .{20}/)]))
  await chat().stop()
  await sent
  await eventually(() => expect(lines()[0]).toBe('ready'))
  expect(lines()[2]).toMatch(/^assistant: .{20}/)
  generate = {}
  await chat().sendMessage({ text: night })
  await eventually(() => expect(lines().at(-1)).toMatch(/^assistant: .* \[\d+\]$/))
  expect(chat().error).toBeUndefined()
})

test('stopped before its first word, it can be asked again', async () => {
  const gemma = Promise.withResolvers<void>()
  const { chat, lines } = await open(createGemmaTransport({ gemma: () => gemma.promise.then(() => openDemo()) }))
  const sent = chat().sendMessage({ text: 'Hello' })
  await eventually(() => expect(lines()[0]).toBe('submitted'))
  await chat().stop()
  await sent
  gemma.resolve()
  await chat().sendMessage({ text: night })
  await eventually(() => expect(lines()).toEqual(['ready', 'user: Hello', 'assistant: ', `user: ${night}`, expect.stringMatching(/^assistant: .* \[\d+\]$/)]))
})

test('regenerate() asks again', async () => {
  let generate = { maxTokens: 2 }
  const { chat, lines } = await open(createGemmaTransport({ gemma: await openDemo(), generate: () => generate }))
  await chat().sendMessage({ text: night })
  await eventually(() => expect(lines()).toEqual(['ready', `user: ${night}`, 'assistant: The opposite [2]']))
  generate = { maxTokens: 20 }
  await chat().regenerate()
  await eventually(() => expect(lines()).toEqual(['ready', `user: ${night}`, `assistant: ${answer} [7]`]))
})

test('pictures, asked about over two turns', async () => {
  const { turns, answer: last } = hfConversation('002.png', 2)
  const { chat, lines } = await open(createGemmaTransport({ gemma: await openDemo() }))
  const file: FileUIPart = { type: 'file', mediaType: 'image/png', url: `data:image/png;base64,${Buffer.from(pictureBytes('002.png')).toString('base64')}` }
  await chat().sendMessage({ text: turns[0].question, files: [file] })
  await chat().sendMessage({ text: turns[1].question })
  await eventually(() => expect(lines()).toEqual(['ready', expect.stringContaining('<image/png>'), expect.stringContaining(`assistant: ${turns[0].answer}`), `user: ${turns[1].question}`, expect.stringContaining(`assistant: ${last} [`)]))
})

test('an error is shown with what to do, and the next question is answered', async () => {
  const { chat, lines } = await open(createGemmaTransport({ gemma: await openDemo({ contextLength: 64 }) }))
  await chat().sendMessage({ text: 'long '.repeat(200) })
  await eventually(() => expect(lines()[0]).toBe('error'))
  expect(chat().error?.message).toContain('the context holds 64')
  chat().setMessages([])
  await chat().sendMessage({ text: night })
  await eventually(() => expect(lines()).toEqual(['ready', `user: ${night}`, `assistant: ${answer} [7]`]))
})
