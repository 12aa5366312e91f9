import type { Backend, BufferDecl, Executable, Memory, Plan, WeightType } from '../backend.ts'
import { GemmaError } from '../errors.ts'
import type { TextConfig } from '../graph/config.ts'
import { type KvLayout, kvLayout } from '../graph/kv-layout.ts'
import { dtypeBytes, elementCount } from '../graph/memory-plan.ts'
import { fillRanges, type ImageSpan } from '../graph/ranges.ts'
import { fillRope } from '../graph/rope.ts'
import { MAX_ADJUSTMENTS, TOP_K, textBuffers, textPlan } from '../graph/text-plan.ts'
import { type Candidates, candidatesOfStep } from '../sampling/candidates.ts'
import type { Adjustments } from '../sampling/penalties.ts'
import { createTaskQueue, type TaskQueue } from '../task-queue.ts'
import type { Checkpoint } from '../weights/checkpoint.ts'
import type { LoadProgress } from './types.ts'

/** The KV of one sequence, and the plans bound to it. */
export interface KvCache {
  /** Tokens whose keys and values are valid, from position 0. */
  readonly ids: number[]
  /** Positions ever written since the cache was last empty: what decides how far back it may go. */
  written: number
  readonly memory: Memory
  readonly prefill: Executable
  readonly decode: Executable
  dispose(): void
}

export interface ForwardArgs {
  /** 1 … chunk tokens, at the positions after the cache's own. They are added to `cache.ids`. */
  readonly ids: readonly number[]
  /** Rows whose logits are wanted; none leaves the head out. */
  readonly take: readonly number[]
  readonly adjustments?: Adjustments
  readonly images?: readonly ImageSpan[]
  /** Called after each section, by name, before the next one starts: may read scratch buffers. */
  readonly onSection?: (section: string) => Promise<void>
  readonly signal?: AbortSignal
}

/** The text model on a device: weights and workspace once, any number of caches. */
export interface TextModel {
  readonly config: TextConfig
  readonly kv: KvLayout
  readonly workspace: Memory
  readonly plan: Plan
  /** Steps that belong together (write inputs, run, read outputs) go in one task; tasks of several sessions take turns. */
  readonly exclusive: TaskQueue
  openCache(): Promise<KvCache>
  /** Within a task of `exclusive`. On failure the cache keeps the tokens that it had. */
  forward(cache: KvCache, args: ForwardArgs): Promise<void>
  /** The best candidates of taken row `row`, after a forward that took it. */
  readCandidates(row?: number): Promise<Candidates>
  /** All logits [vocabSize] of taken row `row`, unadjusted. */
  readLogits(row?: number): Promise<Float32Array>
  /** Bit set: may be sampled. u32 [⌈vocabSize/32⌉] */
  readonly mask: Uint32Array
  dispose(): Promise<void>
}

export interface TextModelOptions {
  readonly contextLength: number
  /** Most rows of a run. */
  readonly chunk: number
  /** Most rows per run whose logits are wanted. Default 1. */
  readonly taken?: number
  /** Ids that may be sampled: not the padding of the table, nor placeholders. Default: all. */
  readonly allows?: (id: number) => boolean
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: LoadProgress) => void
}

export async function loadTextModel(checkpoint: Checkpoint, backend: Backend, options: TextModelOptions): Promise<TextModel> {
  const { signal } = options
  const config = checkpoint.config.text
  const kv = kvLayout(config, options.contextLength, options.chunk)
  const limits = { rows: options.chunk, taken: options.taken ?? 1 }
  const weightType = (name: string): WeightType => {
    const tensor = checkpoint.tensors.get(name)
    if (tensor === undefined) throw new GemmaError('invalid-model', `${checkpoint.name} has no tensor ${name}. Download the model again, or convert it again.`)
    return tensor.type
  }
  const plan = textPlan(config, { name: 'prefill', limits, kv, kvType: backend.kvType, weightType })
  const decodePlan = textPlan(config, { name: 'decode', limits: { rows: 1, taken: 1 }, kv, kvType: backend.kvType, weightType })

  const byRole = (...roles: BufferDecl['role'][]): BufferDecl[] => plan.buffers.filter((buffer) => roles.includes(buffer.role))
  const allocated: Memory[] = []
  const allocate = async (buffers: readonly BufferDecl[]): Promise<Memory> => {
    const memory = await backend.allocate(buffers, { limits, ...(signal && { signal }) })
    allocated.push(memory)
    return memory
  }
  try {
    const weights = await allocate(byRole('weight'))
    const workspace = await allocate(byRole('scratch', 'input', 'output'))
    await writeWeights(checkpoint, byRole('weight'), weights, options)
    const mask = allowedIds(config.vocabSize, options.allows ?? (() => true))
    await workspace.write(textBuffers.mask, mask)
    return createTextModel({ backend, config, kv, plan, decodePlan, weights, workspace, mask })
  } catch (error) {
    for (const memory of allocated) memory.dispose()
    throw error
  }
}

async function writeWeights(checkpoint: Checkpoint, buffers: readonly BufferDecl[], memory: Memory, { signal, onProgress }: TextModelOptions): Promise<void> {
  const total = buffers.reduce((sum, buffer) => sum + dtypeBytes(buffer.dtype, elementCount(buffer, { rows: 0, taken: 0 })), 0)
  let read = 0
  let repacked = 0
  onProgress?.({ phase: 'read', loaded: 0, total })
  onProgress?.({ phase: 'repack', loaded: 0, total })
  for (const { name } of buffers) {
    for await (const slice of checkpoint.read(name, signal)) {
      read += slice.bytes.length
      onProgress?.({ phase: 'read', loaded: read, total })
      await memory.write(name, slice.bytes, slice.row)
      repacked += slice.bytes.length
      onProgress?.({ phase: 'repack', loaded: repacked, total })
    }
  }
}

function allowedIds(vocabSize: number, allows: (id: number) => boolean): Uint32Array {
  const mask = new Uint32Array(Math.ceil(vocabSize / 32))
  for (let id = 0; id < vocabSize; id++) if (allows(id)) mask[id >>> 5] |= 1 << (id & 31)
  return mask
}

interface Parts {
  readonly backend: Backend
  readonly config: TextConfig
  readonly kv: KvLayout
  readonly plan: Plan
  readonly decodePlan: Plan
  readonly weights: Memory
  readonly workspace: Memory
  readonly mask: Uint32Array
}

function createTextModel({ backend, config, kv, plan, decodePlan, weights, workspace, mask }: Parts): TextModel {
  const { headDim, slidingWindow, vocabSize } = config
  const enqueue = createTaskQueue()
  let failure: GemmaError | undefined
  void backend.lost.then((error) => {
    failure = error
  })
  const layerSections = plan.sections.findIndex((section) => section.name === 'norm')

  // Host copies of the inputs, [chunk] or [chunk, headDim].
  const chunk = plan.limits.rows
  const ids = new Int32Array(chunk)
  const ranges = { beginLocal: new Int32Array(chunk), beginGlobal: new Int32Array(chunk), end: new Int32Array(chunk) }
  const rope = { local: new Float32Array(chunk * headDim), global: new Float32Array(chunk * headDim) }

  const writeInputs = async (position: number, args: ForwardArgs): Promise<void> => {
    const rows = args.ids.length
    ids.set(args.ids)
    fillRanges({ position, rows, slidingWindow, images: args.images ?? [] }, ranges)
    const writes = [
      workspace.write(textBuffers.ids, ids.subarray(0, rows)),
      workspace.write(textBuffers.end, ranges.end.subarray(0, rows)),
      workspace.write(textBuffers.takeIndex, Int32Array.from(args.take)),
    ]
    for (const type of new Set(config.layerTypes)) {
      fillRope(config, type, position, rows, rope[type])
      writes.push(workspace.write(textBuffers.rope[type], rope[type].subarray(0, rows * headDim)))
      const begin = type === 'local' ? ranges.beginLocal : ranges.beginGlobal
      writes.push(workspace.write(textBuffers.begin[type], begin.subarray(0, rows)))
    }
    if (args.adjustments !== undefined) {
      writes.push(workspace.write(textBuffers.adjustIds, args.adjustments.ids), workspace.write(textBuffers.adjust, args.adjustments.values))
    }
    await Promise.all(writes)
  }

  return {
    config,
    kv,
    plan,
    workspace,
    mask,
    exclusive: (task) =>
      enqueue(() => {
        if (failure !== undefined) throw failure
        return task()
      }),
    async openCache() {
      const buffers = plan.buffers.filter((buffer) => buffer.role === 'kv')
      const memory = await backend.allocate(buffers, { limits: plan.limits })
      const memories = [weights, workspace, memory]
      const executables: Executable[] = []
      const dispose = (): void => {
        for (const executable of executables) executable.dispose()
        memory.dispose()
      }
      try {
        for (const each of [plan, decodePlan]) executables.push(await backend.compile(each, memories))
      } catch (error) {
        dispose()
        throw error
      }
      const [prefill, decode] = executables
      return { ids: [], written: 0, memory, prefill, decode, dispose }
    },
    async forward(cache, args) {
      const position = cache.ids.length
      const rows = args.ids.length
      if (position + rows > kv.contextLength) {
        throw new GemmaError('context-overflow', `${position + rows} tokens do not fit into a context of ${kv.contextLength}. Load the model with a larger contextLength, or shorten the prompt.`)
      }
      await writeInputs(position, args)
      const end = args.take.length === 0 ? layerSections : plan.sections.length
      const executable = rows === 1 && args.take.length <= 1 ? cache.decode : cache.prefill
      const run = (begin: number, stop: number): Promise<void> =>
        executable.run({
          rows,
          position,
          taken: args.take.length,
          adjusted: args.adjustments?.ids.length ?? 0,
          sections: [begin, stop],
          ...(args.signal && { signal: args.signal }),
        })
      cache.written = Math.max(cache.written, position + rows)
      if (args.onSection === undefined) {
        await run(0, end)
      } else {
        for (let section = 0; section < end; section++) {
          await run(section, section + 1)
          await args.onSection(plan.sections[section].name)
        }
      }
      cache.ids.push(...args.ids)
    },
    async readCandidates(row = 0) {
      const count = Math.min(TOP_K, vocabSize)
      const found = { ids: new Int32Array(count), logits: new Float32Array(count), logSumExp: new Float32Array(1) }
      await Promise.all([
        workspace.read(textBuffers.topIds, found.ids, row),
        workspace.read(textBuffers.topLogits, found.logits, row),
        workspace.read(textBuffers.logSumExp, found.logSumExp, row),
      ])
      return candidatesOfStep(found.ids, found.logits, found.logSumExp[0], vocabSize)
    },
    async readLogits(row = 0) {
      const logits = new Float32Array(vocabSize)
      await workspace.read(textBuffers.logits, logits, row)
      return logits
    },
    async dispose() {
      await enqueue(() => {})
      weights.dispose()
      workspace.dispose()
      await backend.dispose()
    },
  }
}

/** More ids than the device takes: the host adjusts all logits itself. */
export function fitsDevice(adjustments: Adjustments | undefined): boolean {
  return adjustments === undefined || adjustments.ids.length <= MAX_ADJUSTMENTS
}
