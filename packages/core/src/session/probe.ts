import type { Backend, Executable, Memory, Plan } from '../backend.ts'
import type { TextConfig } from '../graph/config.ts'
import { textBuffers } from '../graph/text-plan.ts'
import { createLogitsReader, type LogitsReader } from './logits-reader.ts'
import { createTextInputs } from './text-inputs.ts'

/** One token through the model, section by section, in scratch of its own: others' runs may come between. */
export interface Probe extends LogitsReader {
  readonly plan: Plan
  readonly memory: Memory
  /** Within a task of `exclusive`, as `run`. */
  place(position: number, id: number): Promise<void>
  /** Sections [begin, end) of the token that was placed. */
  run(begin: number, end: number): Promise<void>
  dispose(): void
}

export interface ProbeOptions {
  readonly backend: Backend
  readonly config: TextConfig
  readonly plan: Plan
  readonly weights: Memory
  /** Has the mask. */
  readonly workspace: Memory
  readonly mask: Uint32Array
  /** Default: keys and values of its own, which hold anything. */
  readonly kv?: Memory
}

export async function openProbe({ backend, config, plan, weights, workspace, mask, kv }: ProbeOptions): Promise<Probe> {
  const own = plan.buffers.filter(({ name }) => name !== textBuffers.mask && !weights.has(name) && kv?.has(name) !== true)
  const memory = await backend.allocate(own, { limits: plan.limits })
  let executable: Executable
  try {
    executable = await backend.compile(plan, [memory, weights, workspace, ...(kv === undefined ? [] : [kv])])
  } catch (error) {
    memory.dispose()
    throw error
  }
  const inputs = createTextInputs(config, plan, memory)
  let at = 0
  return {
    ...createLogitsReader(memory, config.vocabSize, mask),
    plan,
    memory,
    async place(position, id) {
      at = position
      await inputs.write(position, { ids: [id], take: [0] }, [])
    },
    run: (begin, end) => executable.run({ rows: 1, taken: 1, position: at, sections: [begin, end] }),
    dispose() {
      executable.dispose()
      memory.dispose()
    },
  }
}
