/** Starts the real program from its sources, as `pnpm facet` does. For tests. */
import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'

export interface Outcome {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface Running {
  readonly child: ChildProcessWithoutNullStreams
  readonly outcome: Promise<Outcome>
  /** So far. */
  readonly said: Readonly<Record<'stdout' | 'stderr', string>>
  /** Resolves as soon as stdout (stderr) contains `text`, counted from the last such call; rejects if the program ends before. */
  readonly seen: (stream: 'stdout' | 'stderr', text: string) => Promise<void>
}

export function start(args: readonly string[], env: Readonly<Record<string, string>> = {}): Running {
  const bin = fileURLToPath(new URL('bin.ts', import.meta.url))
  const child = spawn(process.execPath, ['--conditions=@facetjs/source', bin, ...args], { env: { ...process.env, FACET_DEBUG: '', ...env } })
  onTestFinished(() => void child.kill('SIGKILL'))
  const said = { stdout: '', stderr: '' }
  const read = { stdout: 0, stderr: 0 }
  const listeners = new Set<() => void>()
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      said[name] += text
      for (const listener of listeners) listener()
    })
  }
  const outcome = new Promise<Outcome>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => {
      resolve({ code, ...said })
    })
  })
  const seen = async (name: 'stdout' | 'stderr', text: string): Promise<void> => {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const look = (): void => {
      const at = said[name].indexOf(text, read[name])
      if (at < 0) return
      read[name] = at + text.length
      resolve()
    }
    listeners.add(look)
    look()
    void outcome.then(({ code, stdout, stderr }) => {
      reject(new Error(`facet ended (${code}) without "${text}"\n${stdout}\n${stderr}`))
    }, reject)
    await promise.finally(() => listeners.delete(look))
  }
  return { child, outcome, said, seen }
}

/** Runs to the end with all of stdin given at once. */
export async function facet(args: readonly string[], input = '', env: Readonly<Record<string, string>> = {}): Promise<Outcome> {
  const { child, outcome } = start(args, env)
  child.stdin.end(input)
  return await outcome
}
