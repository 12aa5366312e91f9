import { nextTask } from '#platform'
import { type BufferName, checkRun, type Executable, GemmaError, type Memory, type Plan, type RunArgs, type TaskQueue } from '@facetjs/core/backend'
import { jobKind } from './control.ts'
import type { Engine } from './engine.ts'
import type { WasmMemory } from './memory.ts'
import { type Placed, writeTape } from './tape.ts'

/** How long a blocking engine may keep its thread before timers, signals and other sessions get a turn. */
const SLICE_MS = 15

/** Puts a plan's tape into memory, with scratch of its own. */
export function compilePlan(engine: Engine, plan: Plan, memories: readonly Memory[], fast: boolean, enqueue: TaskQueue): Executable {
  const { arena, kernels } = engine
  const owned: number[] = []
  const allocate = (byteLength: number): number => {
    const offset = arena.allocate(byteLength, `scratch of plan ${plan.name}`)
    owned.push(offset)
    return offset
  }
  const place = (name: BufferName): Placed => {
    const memory = memories.find((candidate) => candidate.has(name))
    const found = memory !== undefined && isWasm(memory) ? memory.place(name) : undefined
    if (found === undefined) throw new GemmaError('internal', `Plan ${plan.name} needs buffer ${name}, which none of its memories has. Allocate it first.`)
    return found
  }
  const { words, sectionStarts } = writeTape(
    plan,
    {
      threads: engine.threads, fast, place,
      operandOf: (layout) => kernels.matmul_operand(layout, engine.dot),
      attentionBytes: (headDim, kvHeads, capacity) => kernels.attention_bytes(fast ? 1 : 0, headDim, kvHeads, capacity, engine.threads) >>> 0,
    },
    allocate,
  )
  const tape = allocate(words.byteLength)
  new Int32Array(engine.memory.buffer, tape, words.length).set(words)
  let sliceStart = performance.now()
  let disposed = false

  const run = async ({ rows, taken = 0, position, adjusted = 0, sections = [0, plan.sections.length], signal }: RunArgs): Promise<void> => {
    const [begin, end] = sections
    const step = engine.isBlocking ? 1 : end - begin
    for (let section = begin; section < end; section += step) {
      await engine.run({ kind: jobKind.run, tape, begin: sectionStarts[section], end: sectionStarts[section + step], rows, taken, position, adjusted, dot: engine.dot }, signal)
      if (!engine.isBlocking || performance.now() - sliceStart < SLICE_MS) continue
      await nextTask()
      sliceStart = performance.now()
    }
  }
  return {
    run: (args) =>
      enqueue(() => {
        if (disposed) throw new GemmaError('disposed', `Plan ${plan.name} was disposed of. Compile it again.`) // its memory may be another's
        checkRun(plan, args)
        return run(args)
      }),
    dispose() {
      void enqueue(() => {
        disposed = true
        for (const offset of owned.splice(0)) arena.free(offset)
      })
    },
  }
}

function isWasm(memory: Memory): memory is WasmMemory {
  return 'place' in memory
}
