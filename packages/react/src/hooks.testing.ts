// Everything a mounted component does, under the React that the test file chose.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Gemma, GemmaError, type GemmaMessage, type GenerationResult } from '@facetjs/core'
import { reference } from '@facetjs/core/reference'
import { Component, createElement, type ReactElement, type ReactNode, StrictMode, Suspense, version as reactVersion } from 'react'
import type { Root } from 'react-dom/client'
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { GemmaProvider, useGemma, useGemmaModel, type UseGemmaOptions, type UseGemmaResult } from './index.ts'
import { act, demo, demoEngine, eventually, type ReactDom, reactDom, spiedEngine } from './rendering.testing.ts'

const endless = { logitBias: { 1: -Infinity, 6: -Infinity } }
const questions = ['What is 3 + 4?', 'What is the opposite of night?']

const textOf = ({ parts }: GemmaMessage): string => parts.map((part) => (part.type === 'text' ? part.text : '[image]')).join('')

async function answersOf(asked: readonly string[]): Promise<string[]> {
  await using gemma = await Gemma.load(demo, { backend: reference(), numerics: 'exact' })
  const session = gemma.chat()
  const answers: string[] = []
  for (const question of asked) answers.push((await session.send(question).result).text)
  return answers
}

interface ChatProps {
  readonly options?: () => UseGemmaOptions
  readonly onRender?: (result: UseGemmaResult) => void
}

/** Writes its options down anew at each render. */
function Chat({ options = () => ({}), onRender }: ChatProps): ReactElement {
  const result = useGemma(options())
  onRender?.(result)
  return createElement('div', null, result.status, ...result.messages.map((message) => createElement('p', { key: message.id }, textOf(message))))
}

class Boundary extends Component<{ readonly children?: ReactNode }, { readonly error?: Error; readonly tries: number }> {
  override readonly state: { readonly error?: Error; readonly tries: number } = { tries: 0 }

  static getDerivedStateFromError(error: Error): { readonly error: Error } {
    return { error }
  }

  override render(): ReactNode {
    return this.state.error === undefined ? this.props.children : createElement('output', null, this.state.error.message)
  }
}

function Model({ onRender }: { readonly onRender?: (gemma: Gemma) => void }): ReactElement {
  const gemma = useGemmaModel()
  onRender?.(gemma)
  return createElement('b', null, gemma.name)
}

export function describeHooks(version: 18 | 19): void {
  let dom: ReactDom
  let roots: Root[] = []
  const strict = (...children: ReactNode[]): ReactElement => createElement(StrictMode, null, ...children)

  interface Page {
    readonly container: HTMLElement
    render(element: ReactNode): Promise<void>
    unmount(): Promise<void>
  }
  async function open(element: ReactNode): Promise<Page> {
    const container = document.body.appendChild(document.createElement('main'))
    const root = dom.client.createRoot(container)
    roots.push(root)
    const render = (next: ReactNode): Promise<void> => act(async () => root.render(next))
    await render(element)
    return {
      container,
      render,
      async unmount() {
        await act(async () => root.unmount())
        container.remove()
      },
    }
  }

  beforeAll(async () => {
    dom = await reactDom(version)
  })
  afterEach(async () => {
    for (const root of roots) await act(async () => root.unmount())
    roots = []
    document.body.replaceChildren()
    vi.restoreAllMocks()
  })

  test(`this is React ${version}`, () => {
    for (const found of [reactVersion, dom.version]) expect(found).toMatch(new RegExp(`^${version}\\.`))
  })

  describe('loading', () => {
    test('nothing is loaded without autoLoad, until load()', async () => {
      const { engine, loads } = spiedEngine()
      let last: UseGemmaResult | undefined
      const page = await open(strict(createElement(GemmaProvider, { defaults: { engine } }, createElement(Chat, { onRender: (result) => (last = result) }))))
      expect(page.container.textContent).toBe('idle')
      expect(loads).toHaveLength(0)
      await act(async () => void last?.load())
      expect(page.container.textContent).toBe('loading')
      await eventually(() => expect(page.container.textContent).toBe('ready'))
      expect(loads).toHaveLength(1)
    })

    test('what is given as undefined is what the provider has', async () => {
      const { engine, loads } = spiedEngine()
      const options = (): UseGemmaOptions => Object.fromEntries(['autoLoad', 'system', 'generate', 'engine'].map((name) => [name, undefined]))
      const page = await open(createElement(GemmaProvider, { defaults: { engine, autoLoad: true } }, createElement(Chat, { options })))
      await eventually(() => expect(page.container.textContent).toBe('ready'))
      expect(loads).toHaveLength(1)
    })

    test('in StrictMode there is one load, and nothing is disposed of while it is mounted', async () => {
      const { engine, loads, disposed } = spiedEngine()
      const page = await open(strict(createElement(GemmaProvider, { defaults: { engine, autoLoad: true } }, createElement(Chat), createElement(Chat))))
      await eventually(() => expect(page.container.textContent).toBe('readyready'))
      await act(() => new Promise((resolve) => setTimeout(resolve, 500)))
      expect(loads.map((signal) => signal.aborted)).toEqual([false])
      expect(disposed).toEqual([])
      await page.unmount()
      await eventually(() => expect(disposed).toEqual(['spied']))
    })

    test('is aborted when the component goes', async () => {
      const { engine, loads } = spiedEngine('slow', (signal) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))))
      const page = await open(strict(createElement(GemmaProvider, null, createElement(Chat, { options: () => ({ engine, autoLoad: true }) }))))
      expect(page.container.textContent).toBe('loading')
      await page.unmount()
      await eventually(() => expect(loads.map((signal) => signal.aborted)).toEqual([true]))
    })

    test('options that are written anew at each render load nothing again', async () => {
      const opened = vi.fn(() => reference())
      const stores = new Set<unknown>()
      const element = (): ReactElement =>
        strict(createElement(GemmaProvider, { defaults: { autoLoad: true } }, createElement(Chat, { options: () => ({ engine: { ...demoEngine(), backends: { reference: () => opened() } }, system: 'Hello', generate: { maxTokens: 9 } }), onRender: ({ store }) => stores.add(store) })))
      const page = await open(element())
      stores.clear()
      for (let i = 0; i < 5; i++) await page.render(element())
      await eventually(() => expect(page.container.textContent).toBe('ready'))
      expect(opened).toHaveBeenCalledTimes(1)
      expect(stores.size).toBe(1)
    })

    test('another engine: another conversation, and the first engine is given back', async () => {
      const [one, other] = [spiedEngine('one'), spiedEngine('other')]
      let last: UseGemmaResult | undefined
      const element = (engine: UseGemmaOptions['engine']): ReactElement =>
        strict(createElement(GemmaProvider, null, createElement(Chat, { options: () => ({ ...(engine && { engine }), autoLoad: true }), onRender: (result) => (last = result) })))
      const page = await open(element(one.engine))
      await eventually(() => expect(last?.status).toBe('ready'))
      await act(async () => void (await last?.send(questions[0])))
      await page.render(element(other.engine))
      expect(last).toMatchObject({ status: 'loading', messages: [] })
      await eventually(() => expect(last?.status).toBe('ready'))
      expect(one.disposed).toEqual(['one'])
      expect(other.disposed).toEqual([])
    })
  })

  describe('a conversation', () => {
    test('appears as it comes, stops, is edited and answered again; the actions stay the same functions', async () => {
      let last: UseGemmaResult | undefined
      const renders: UseGemmaResult[] = []
      const now = (): UseGemmaResult => last ?? expect.unreachable()
      const page = await open(
        strict(createElement(GemmaProvider, { defaults: { engine: demoEngine(), autoLoad: true } }, createElement(Chat, { onRender: (result) => renders.push((last = result)) }))),
      )
      await eventually(() => expect(now().status).toBe('ready'))
      const shown = new Set<string | null | undefined>()
      const watcher = new MutationObserver(() => shown.add(page.container.querySelectorAll('p')[1]?.textContent))
      watcher.observe(page.container, { subtree: true, childList: true, characterData: true })
      const expected = await answersOf(questions)
      let first: Promise<GenerationResult | undefined> | undefined
      await act(async () => void (first = now().send('Count to 9.')))
      await eventually(() => expect(now().status).toBe('ready'))
      watcher.disconnect()
      const text = (await first)?.text ?? ''
      expect(shown.size).toBeGreaterThan(2) // while it came
      for (const each of shown) expect(text.startsWith(each ?? '')).toBe(true)

      await act(async () => void now().edit(now().messages[0].id, questions[0]))
      await eventually(() => expect(now().status).toBe('ready'))
      await act(async () => void now().send(questions[1]))
      await eventually(() => expect(now().status).toBe('ready'))
      expect(now().messages.map(textOf)).toEqual([questions[0], expected[0], questions[1], expected[1]])
      await act(async () => void now().regenerate(undefined, endless))
      await eventually(() => expect(now().messages[3].status).toBe('streaming'))
      expect(now().status).toBe('generating')
      await act(() => now().stop())
      expect(now()).toMatchObject({ status: 'ready', messages: [{}, {}, {}, { status: 'stopped', branches: { length: 2 } }] })
      expect(page.container.querySelectorAll('p')[3].textContent).toBe(textOf(now().messages[3]))
      for (const name of ['load', 'send', 'stop', 'regenerate', 'edit', 'select', 'reset', 'recover'] as const) expect(new Set(renders.slice(-20).map((result) => result[name])).size).toBe(1)
    })

    test('another engine goes on with all versions of it, where they are passed on', async () => {
      const [one, other] = [spiedEngine('one'), spiedEngine('other')]
      let last: UseGemmaResult | undefined
      const element = (engine: UseGemmaOptions['engine']): ReactElement => {
        const saved = last?.store.exportConversation()
        return strict(createElement(GemmaProvider, null, createElement(Chat, { options: () => ({ ...(engine && { engine }), ...(saved && { conversation: saved }), autoLoad: true }), onRender: (result) => (last = result) })))
      }
      const live = new Set<string | undefined>()
      const page = await open(element(one.engine))
      await eventually(() => expect(last?.status).toBe('ready'))
      await act(async () => void (await last?.send(questions[0])))
      const asked = last?.messages[0].id ?? ''
      await act(async () => void last?.edit(asked, questions[1]))
      await eventually(() => {
        live.add(last?.live?.phase)
        expect(last?.status).toBe('ready')
      })
      expect(last?.live).toBeUndefined()
      expect([...live].some((phase) => phase !== undefined)).toBe(true)
      const expected = await answersOf([questions[1]])
      await page.render(element(other.engine))
      expect(last).toMatchObject({ status: 'loading', messages: [{ branches: { length: 2 } }, { status: 'done' }] })
      expect(last?.messages.map(textOf)).toEqual([questions[1], expected[0]])
      await eventually(() => expect(last?.status).toBe('ready'))
      await act(async () => last?.select(last.messages[0].branches[0]))
      expect(last?.messages.map(textOf)).toEqual([questions[0], (await answersOf([questions[0]]))[0]])
    })

    test('two components on one engine answer at the same time, each its own', async () => {
      const { engine, loads } = spiedEngine()
      const results: UseGemmaResult[] = []
      await open(
        strict(createElement(GemmaProvider, { defaults: { engine, autoLoad: true } }, ...[0, 1].map((i) => createElement(Chat, { key: i, onRender: (result) => (results[i] = result) })))),
      )
      await eventually(() => expect(results.map(({ status }) => status)).toEqual(['ready', 'ready']))
      await act(async () => questions.forEach((question, i) => void results[i].send(question, i === 0 ? endless : {})))
      expect(results.map(({ status }) => status)).toEqual(['generating', 'generating'])
      await eventually(() => expect(results[1].status).toBe('ready'))
      expect(textOf(results[1].messages[1])).toBe((await answersOf([questions[1]]))[0])
      expect(results[0].messages).toMatchObject([{}, { status: 'streaming' }])
      await act(() => results[0].stop())
      expect(loads).toHaveLength(1)
    })

    test('fifty parts in a frame are one render', async () => {
      const gemma = await Gemma.load(demo, { backend: reference() })
      const talkative = Array.from({ length: 50 }, (_, i) => `${i} `)
      const end = Promise.withResolvers<void>()
      const session = { ...gemma.chat(), send: () => ({ async *[Symbol.asyncIterator]() {
        for (const text of talkative) yield { type: 'text' as const, text }
        await end.promise
      }, result: end.promise.then(() => gemma.generate('x', { maxTokens: 1 }).result), textStream: (async function* none(): AsyncGenerator<string> {})(), stop() {} }) }
      const { engine } = spiedEngine('talkative', async () => ({ ...gemma, chat: () => session }))
      const shown: string[] = []
      let last: UseGemmaResult | undefined
      await open(createElement(GemmaProvider, { defaults: { engine, autoLoad: true } }, createElement(Chat, { onRender: (result) => shown.push(((last = result).messages[1] && textOf(last.messages[1])) ?? '') })))
      await eventually(() => expect(last?.status).toBe('ready'))
      await act(async () => void last?.send('Hello'))
      await eventually(() => expect(shown).toContain(talkative.join('')))
      expect(new Set(shown)).toEqual(new Set(['', talkative.join('')]))
      expect(shown.filter((text) => text !== '')).toHaveLength(1)
      end.resolve()
      await eventually(() => expect(last?.status).toBe('ready'))
    })

    test('errors are state: of the load, and of an answer', async () => {
      let last: UseGemmaResult | undefined
      const load = (options: UseGemmaOptions): Promise<Page> => open(strict(createElement(GemmaProvider, null, createElement(Chat, { options: () => ({ ...options, autoLoad: true }), onRender: (result) => (last = result) }))))
      await load({ engine: { ...demoEngine(), model: '/no/such/file.gguf' } })
      await eventually(() => expect(last).toMatchObject({ status: 'error', error: { code: 'invalid-argument' } }))
      await load({ engine: { ...demoEngine(), contextLength: 64 } })
      await eventually(() => expect(last?.status).toBe('ready'))
      await act(async () => void (await last?.send('long '.repeat(200))))
      expect(last).toMatchObject({ status: 'error', error: { code: 'context-overflow' }, messages: [{}, { status: 'error' }] })
      await act(async () => void (await last?.send(questions[0])))
      expect(last).toMatchObject({ status: 'ready', error: undefined })
    })

    test('ends with its component, and the model is freed', async () => {
      const { engine, disposed } = spiedEngine()
      let last: UseGemmaResult | undefined
      const page = await open(strict(createElement(GemmaProvider, { defaults: { engine, autoLoad: true } }, createElement(Chat, { onRender: (result) => (last = result) }))))
      await eventually(() => expect(last?.status).toBe('ready'))
      let answer: Promise<GenerationResult | undefined> | undefined
      await act(async () => void (answer = last?.send('Hello', endless)))
      await eventually(() => expect(last?.messages[1]?.status).toBe('streaming'))
      await page.unmount()
      expect((await answer)?.finishReason).toBe('stopped')
      await eventually(() => expect(disposed).toEqual(['spied']))
    })
  })

  test('nothing is left in memory after a component has gone', async () => {
    setFlagsFromString('--expose-gc')
    const collect: () => void = runInNewContext('gc')
    const refs: Record<string, WeakRef<object>> = {}
    const visit = async (): Promise<void> => {
      const { engine, disposed } = spiedEngine()
      const seen: { last?: UseGemmaResult } = {}
      const page = await open(strict(createElement(GemmaProvider, { defaults: { engine, autoLoad: true } }, createElement(Chat, { onRender: (result) => (seen.last = result) }))))
      await eventually(() => expect(seen.last?.status).toBe('ready'))
      await act(async () => void (await seen.last?.send(questions[0])))
      const { gemma = expect.unreachable(), store, messages } = seen.last ?? expect.unreachable()
      Object.assign(refs, { gemma: new WeakRef(gemma), store: new WeakRef(store), message: new WeakRef(messages[1]) })
      await page.unmount()
      roots = []
      await eventually(() => expect(disposed).toHaveLength(1))
    }
    await visit()
    await vi.waitFor(
      () => {
        collect()
        expect(Object.entries(refs).filter(([, ref]) => ref.deref() !== undefined).map(([name]) => name)).toEqual([])
      },
      { timeout: 20_000, interval: 50 },
    )
  })

  describe('useGemmaModel', () => {
    const waiting = createElement('i', null, 'waiting')

    test('suspends, loads after the render, and shares the engine with useGemma', async () => {
      const { engine, loads, disposed } = spiedEngine()
      const models = new Set<Gemma>()
      let chat: UseGemmaResult | undefined
      const loadsAtRender: number[] = []
      function Spy(): null {
        loadsAtRender.push(loads.length)
        return null
      }
      const element = strict(
        createElement(GemmaProvider, { defaults: { engine } }, createElement(Suspense, { fallback: waiting }, createElement(Model, { onRender: (gemma) => models.add(gemma) })), createElement(Chat, { onRender: (result) => (chat = result) }), createElement(Spy)),
      )
      const page = await open(element)
      expect(page.container.textContent).toBe('waitingidle')
      expect(new Set(loadsAtRender)).toEqual(new Set([0]))
      await eventually(() => expect(page.container.querySelector('b')?.textContent).toMatch(/./))
      await act(async () => chat?.load())
      expect(chat?.gemma).toBe([...models][0])
      expect(models.size).toBe(1)
      await act(() => new Promise((resolve) => setTimeout(resolve, 500)))
      await page.render(element)
      expect(page.container.querySelector('i')?.style.display ?? 'none').toBe('none')
      expect(loads).toHaveLength(1)
      expect(disposed).toEqual([])
      await page.unmount()
      await eventually(() => expect(disposed).toEqual(['spied']))
    })

    test('gives its error to the boundary, and tries again for another', async () => {
      vi.spyOn(console, 'error').mockImplementation(() => {}) // React writes down what boundaries catch
      let works = false
      const { engine, loads } = spiedEngine('flaky', async (signal) => {
        if (works) return await Gemma.load(demo, { backend: reference(), signal })
        throw new GemmaError('download-failed', 'No net. Try again.')
      })
      const element = (key: string): ReactElement => strict(createElement(GemmaProvider, { defaults: { engine } }, createElement(Boundary, { key }, createElement(Suspense, { fallback: waiting }, createElement(Model)))))
      const page = await open(element('first'))
      await eventually(() => expect(page.container.querySelector('output')?.textContent).toBe('No net. Try again.'))
      expect(loads).toHaveLength(1)
      works = true
      await act(() => new Promise((resolve) => setTimeout(resolve, 600)))
      await page.render(element('second'))
      await eventually(() => expect(page.container.querySelector('b')?.textContent).toMatch(/./))
      expect(loads).toHaveLength(2)
    })

    test('a page that is never shown loads nothing', async () => {
      const { engine, loads } = spiedEngine()
      const never = new Promise<never>(() => {})
      let isRendered = false
      function Hidden(): ReactElement {
        isRendered = true
        return createElement(Model)
      }
      function Never(): never {
        throw never
      }
      const page = await open(createElement(Suspense, { fallback: 'nothing' }, createElement(GemmaProvider, { defaults: { engine } }, createElement(Suspense, { fallback: waiting }, createElement(Hidden))), createElement(Never)))
      await act(() => new Promise((resolve) => setTimeout(resolve, 50)))
      expect(page.container.textContent).toContain('nothing')
      expect(isRendered).toBe(true)
      expect(loads).toHaveLength(0)
    })

    test('a load that is waited for is aborted when all of it goes', async () => {
      const { engine, loads } = spiedEngine('slow', (signal) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))))
      const page = await open(strict(createElement(GemmaProvider, { defaults: { engine } }, createElement(Suspense, { fallback: waiting }, createElement(Model)))))
      await eventually(() => expect(loads).toHaveLength(1))
      await page.unmount()
      await eventually(() => expect(loads[0].aborted).toBe(true))
    })
  })

  test('a page from the server is taken over', async () => {
    const complaints = vi.spyOn(console, 'error')
    const messages = [{ role: 'user', content: 'Hello' }, { role: 'assistant', content: 'Good morning!' }]
    const { engine, loads } = spiedEngine()
    const element = strict(createElement(GemmaProvider, { defaults: { engine, autoLoad: true } }, createElement(Chat, { options: () => ({ messages }) })))
    const container = document.body.appendChild(document.createElement('main'))
    container.innerHTML = dom.server.renderToString(element)
    expect(loads).toHaveLength(0)
    await act(async () => void roots.push(dom.client.hydrateRoot(container, element)))
    await eventually(() => expect(container.textContent).toBe('readyHelloGood morning!'))
    expect(complaints).not.toHaveBeenCalled()
  })

  test('without a provider or an engine it says what is missing', async () => {
    vi.spyOn(console, 'error').mockImplementation(() => {})
    const alone = await open(createElement(Boundary, null, createElement(Chat)))
    expect(alone.container.textContent).toMatch(/<GemmaProvider>/)
    const engineless = await open(createElement(Boundary, null, createElement(GemmaProvider, null, createElement(Chat))))
    expect(engineless.container.textContent).toMatch(/has no engine/)
  })
}
