import type { Backend, BackendFactory } from '../backend.ts'
import { GemmaError } from '../errors.ts'
import { reference } from '../reference/index.ts'

interface CompileState {
  /** So many decode plans are refused from now on. */
  failures: number
  /** What compile waits for. */
  gate: Promise<unknown> | undefined
}

export interface CountingBackend {
  readonly factory: BackendFactory
  /** Memories. */
  readonly live: ReadonlySet<object>
  /** Names of the plans that were compiled and not disposed of. */
  readonly plans: readonly string[]
  /** Tokens that were run as rows of a plan, by the plan's name. */
  readonly rows: ReadonlyMap<string, number>
  readonly state: CompileState
}

/** The reference with all that it holds counted, and compile failing or waiting on demand. */
export function countingBackend(): CountingBackend {
  const live = new Set<object>()
  const plans: string[] = []
  const rows = new Map<string, number>()
  const state: CompileState = { failures: 0, gate: undefined }
  const wrap = (backend: Backend): Backend => ({
    ...backend,
    async allocate(buffers, options) {
      const memory = await backend.allocate(buffers, options)
      live.add(memory)
      return {
        ...memory,
        dispose() {
          live.delete(memory)
          memory.dispose()
        },
      }
    },
    async compile(plan, memories, signal) {
      await state.gate
      if (state.failures > 0 && plan.name === 'decode') {
        state.failures--
        throw new GemmaError('out-of-memory', 'No room for another plan. Close some.')
      }
      const executable = await backend.compile(plan, memories, signal)
      plans.push(plan.name)
      return {
        run(args) {
          const [begin] = args.sections ?? [0]
          if (begin === 0) rows.set(plan.name, (rows.get(plan.name) ?? 0) + args.rows)
          return executable.run(args)
        },
        dispose() {
          plans.splice(plans.indexOf(plan.name), 1)
          executable.dispose()
        },
      }
    },
  })
  return { factory: { name: 'counting', open: async (options) => wrap(await reference().open(options)) }, live, plans, rows, state }
}
