// What tests need of React, 18 or 19: `react` is whatever the test file has put there.
import { createRequire, registerHooks } from 'node:module'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { type EngineOptions, Gemma, type LocalEngine, localEngine } from '@facetjs/core'
import { reference } from '@facetjs/core/reference'
import * as React from 'react'
import { vi } from 'vitest'

export interface ReactDom {
  readonly version: string
  readonly client: typeof import('react-dom/client')
  readonly server: typeof import('react-dom/server')
}

/** react-dom of this version. pnpm has put React 19 beside that of 18, which is told to take its own here. */
export async function reactDom(version: 18 | 19): Promise<ReactDom> {
  const react18 = pathToFileURL(createRequire(import.meta.url).resolve('react-18')).href
  registerHooks({
    resolve: (specifier, context, next) => (specifier === 'react' && context.parentURL?.includes('/react-dom@18') ? { url: react18, shortCircuit: true } : next(specifier, context)),
  })
  const name = version === 18 ? 'react-dom-18' : 'react-dom'
  const client: ReactDom['client'] & { default?: ReactDom['client'] } = await import(`${name}/client`)
  const server: ReactDom['server'] & { default?: ReactDom['server'] } = await import(`${name}/server`)
  const { version: found }: typeof import('react-dom') = await import(name)
  return { version: found, client: client.default ?? client, server: server.default ?? server }
}

// Not through URL, which a DOM replaces.
export const demo: string = fileURLToPath(import.meta.url).replace(/react[\\/]src[\\/][^\\/]*$/, 'demo-model/model/demo-q8_0.gguf')

/** Written anew at each call, as in a component. */
export function demoEngine(): LocalEngine {
  return localEngine({ model: demo, numerics: 'exact', backends: { reference: () => reference() } })
}

export interface Spied {
  readonly engine: EngineOptions
  /** Loads that were begun. */
  readonly loads: AbortSignal[]
  /** Models that were disposed of. */
  readonly disposed: string[]
}

/** The demo model, and what becomes of it. */
export function spiedEngine(key = 'spied', open: (signal: AbortSignal) => Promise<Gemma> = (signal) => Gemma.load(demo, { backend: reference(), numerics: 'exact', signal })): Spied {
  const loads: AbortSignal[] = []
  const disposed: string[] = []
  return {
    loads,
    disposed,
    engine: {
      key,
      async open({ signal }) {
        loads.push(signal)
        const gemma = await open(signal)
        return {
          ...gemma,
          async dispose() {
            disposed.push(key)
            await gemma.dispose()
          },
        }
      },
    },
  }
}

/** React's `act`. Outside of it React works as in a page. */
export async function act(work: () => void | Promise<unknown>): Promise<void> {
  vi.stubGlobal('IS_REACT_ACT_ENVIRONMENT', true)
  try {
    await React.act(async () => void (await work()))
  } finally {
    vi.stubGlobal('IS_REACT_ACT_ENVIRONMENT', false)
  }
}

export function eventually(check: () => void): Promise<void> {
  return vi.waitFor(check, { timeout: 20_000, interval: 10 })
}
