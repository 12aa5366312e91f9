// Where there is no window, no Worker and no navigator.
import type { createElement, ReactElement, Suspense } from 'react'
import { afterEach, describe, expect, test, vi } from 'vitest'
import type * as Hooks from './index.ts'
import { type ReactDom, reactDom } from './rendering.testing.ts'

afterEach(() => {
  vi.unstubAllGlobals()
  vi.doUnmock('react')
})

describe.each([18, 19] as const)('React %i', (version) => {
  async function setUp(): Promise<{ readonly hooks: typeof Hooks; readonly h: typeof createElement; readonly Waiting: typeof Suspense; readonly server: ReactDom['server'] }> {
    for (const name of ['navigator', 'Worker', 'window', 'document', 'requestAnimationFrame']) vi.stubGlobal(name, undefined)
    vi.resetModules()
    if (version === 18) vi.doMock('react', async () => Object.assign({ use: undefined }, await vi.importActual<object>('react-18')))
    const { server, version: found } = await reactDom(version)
    expect(found).toMatch(new RegExp(`^${version}\\.`))
    const { createElement: h, Suspense: Waiting } = await import('react')
    return { hooks: await import('./index.ts'), h, Waiting, server }
  }

  test('useGemma renders what it was given, and starts nothing', async () => {
    const { hooks, h, server } = await setUp()
    const worker = vi.fn((): Worker => expect.unreachable())
    function Chat(): ReactElement {
      const { status, messages } = hooks.useGemma({ autoLoad: true, messages: [{ role: 'user', content: 'Hello' }, { role: 'assistant', content: 'Good morning!' }] })
      return h('div', null, `${status} ${messages.map(({ id, role }) => `${id}:${role}`).join(' ')}`)
    }
    const engine = { model: 'https://localhost/model.gguf', worker, backend: 'wasm' }
    expect(server.renderToString(h(hooks.GemmaProvider, { defaults: { engine } }, h(Chat)))).toBe('<div>idle m1:user m2:assistant</div>')
    await new Promise((resolve) => setTimeout(resolve))
    expect(worker).not.toHaveBeenCalled()
  })

  test('useGemmaModel leaves its place to the fallback, and a stream does not wait for it', async () => {
    const { hooks, h, Waiting, server } = await setUp()
    const worker = vi.fn((): Worker => expect.unreachable())
    function Model(): ReactElement {
      return h('b', null, hooks.useGemmaModel().name)
    }
    const engine = { model: 'https://localhost/model.gguf', worker, backend: 'wasm' }
    const element = h(hooks.GemmaProvider, { defaults: { engine } }, h(Waiting, { fallback: h('i', null, 'waiting') }, h(Model)))
    const html = server.renderToString(element)
    expect(html).toContain('<i>waiting</i>')
    expect(html).not.toContain('<b>')
    const errors: unknown[] = []
    await new Promise<void>((resolve) => server.renderToPipeableStream(element, { onError: (error) => void errors.push(error), onAllReady: resolve }))
    expect(errors).toMatchObject([{ code: 'unsupported', message: expect.stringContaining('<Suspense>') }])
    expect(worker).not.toHaveBeenCalled()
  })
})
