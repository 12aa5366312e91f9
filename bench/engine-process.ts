/** An engine in a process of its own, which stays alive between runs: engines share neither a heap nor a thread pool. */
import { type ChildProcess, fork } from 'node:child_process'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { softwareVulkan } from '../scripts/software-vulkan.ts'
import type { EngineName, Loaded, LoadOptions, RunResult } from './engine.ts'
import type { ProfileRow } from './profile.ts'

export type Call =
  | { readonly method: 'load'; readonly model: string; readonly options: LoadOptions }
  | { readonly method: 'run'; readonly promptIds: readonly number[]; readonly decodeCount: number }
  | { readonly method: 'profile'; readonly rows: number; readonly position: number }
  | { readonly method: 'peakMemoryBytes' }
  | { readonly method: 'dispose' }

export type Answer = { readonly value: unknown } | { readonly error: string }

export interface EngineProcess {
  readonly name: EngineName
  readonly loadMs: number
  readonly device: string
  readonly modelBytes: number | undefined
  readonly readBytesPerSecond: number | undefined
  run(promptIds: readonly number[], decodeCount: number): Promise<RunResult>
  peakMemoryBytes(): Promise<number | undefined>
  profile(rows: number, position: number): Promise<readonly ProfileRow[]>
  dispose(): Promise<void>
}

const disposeLimitMs = 10_000

/** @throws Error with the engine's own words where it does not start or does not load the model. */
export async function startEngine(name: EngineName, model: string, options: LoadOptions): Promise<EngineProcess> {
  const child = fork(fileURLToPath(new URL('engine-host.ts', import.meta.url)), [name], { execArgv: ['--conditions=@facetjs/source'], serialization: 'advanced', env: { ...process.env, ...softwareVulkan() } })
  try {
    const { loadMs, device, modelBytes, readBytesPerSecond } = await ask<Pick<Loaded, 'loadMs' | 'device' | 'modelBytes' | 'readBytesPerSecond'>>(child, name, { method: 'load', model, options })
    return {
      name,
      loadMs,
      device,
      modelBytes,
      readBytesPerSecond,
      run: (promptIds, decodeCount) => ask(child, name, { method: 'run', promptIds, decodeCount }),
      peakMemoryBytes: async () => (await ask<number | null>(child, name, { method: 'peakMemoryBytes' })) ?? undefined,
      profile: (rows, position) => ask(child, name, { method: 'profile', rows, position }),
      async dispose() {
        const limit = new Promise<void>((resolve) => {
          setTimeout(resolve, disposeLimitMs).unref()
        })
        await Promise.race([ask(child, name, { method: 'dispose' }), limit]).finally(() => child.kill())
      },
    }
  } catch (error) {
    child.kill()
    throw error
  }
}

/** One call at a time. */
function ask<T>(child: ChildProcess, name: string, call: Call): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const settle = (done: () => void): void => {
      child.off('message', onMessage)
      child.off('exit', onExit)
      done()
    }
    // The answer's type is the method's: both ends are this file's `Call`.
    const onMessage = (answer: { readonly value: T } | { readonly error: string }): void =>
      settle(() => ('error' in answer ? reject(new Error(`${name}: ${answer.error}`)) : resolve(answer.value)))
    const onExit = (code: number | null): void => settle(() => reject(new Error(`${name}: its process ended with ${code} during ${call.method}`)))
    child.on('message', onMessage)
    child.on('exit', onExit)
    child.send(call, (error) => error !== null && settle(() => reject(new Error(`${name}: ${error.message}`))))
  })
}
