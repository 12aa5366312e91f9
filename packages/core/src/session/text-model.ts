import type { Backend, BufferDecl, Executable, Memory, Plan, RowLimits, WeightType } from '../backend.ts'
import { GemmaError } from '../errors.ts'
import type { TextConfig } from '../graph/config.ts'
import { type KvLayout, kvLayout } from '../graph/kv-layout.ts'
import { fillRanges } from '../graph/ranges.ts'
import { fillRope } from '../graph/rope.ts'
import { MAX_ADJUSTMENTS, TOP_K, textBuffers, textPlan } from '../graph/text-plan.ts'
import { type Candidates, candidatesOfStep } from '../sampling/candidates.ts'
import type { Adjustments } from '../sampling/penalties.ts'
import { createTaskQueue, type TaskQueue } from '../task-queue.ts'
import type { Checkpoint } from '../weights/checkpoint.ts'
import { type ImageRows, imageSpans, isImageKey, type KeyedSpan } from './image-keys.ts'
import type { LoadProgress } from './types.ts'
import { tensorOf, writeWeights } from './write-weights.ts'

/** Stands for a token that the device chose and the host has not read yet: the next run's only id. Equal to nothing. */
export const UNREAD: number = NaN

/** How the device is to choose: what the `sample` step takes. */
export interface DeviceChoice {
  /** f32 [4]: temperature, topK, topP, minP. */
  readonly settings: Float32Array
  /** In [0, 1). */
  readonly u: number
}

/** The KV of one sequence, and the plans bound to it. */
export interface KvCache {
  /** Tokens whose keys and values are valid, from position 0; an image's soft tokens are its key. */
  readonly ids: number[]
  /** Positions ever written since the cache was last empty: what decides how far back it may go. */
  written: number
  readonly memory: Memory
  readonly prefill: Executable
  readonly decode: Executable
  dispose(): void
}

export interface ForwardArgs {
  /**
   * 1 … chunk tokens, at the positions after the cache's own. They are added to `cache.ids`. No image is cut. [UNREAD]: what this cache's last
   * forward chose, if no other has come between (`lastForward`).
   */
  readonly ids: readonly number[]
  /** Rows whose logits are wanted; none leaves the head out. */
  readonly take: readonly number[]
  readonly adjustments?: Adjustments
  /** The device chooses the token after the taken row (`chosen` tells it), where it can. Only with a backend that runs ahead. */
  readonly choose?: DeviceChoice
  /** What the image keys among `ids` stand for. */
  readonly imageRows?: ImageRows
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
  /** Whose forward was the last one. */
  readonly lastForward: KvCache | undefined
  /** Most runs of a token that pay when they are queued before the first one's choice is read; 1: the device cannot choose. */
  readonly runsAhead: number
  /** After a forward with `choose`: the id, or −1 where the device left it to the host. */
  readChosen(): Promise<number>
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

export interface TextPlans {
  readonly kv: KvLayout
  readonly limits: RowLimits
  readonly prefill: Plan
  readonly decode: Plan
  /** The prefill plan takes image rows. */
  readonly images: boolean
}

/** @throws GemmaError `invalid-model` where the checkpoint lacks a tensor */
export function textPlans(checkpoint: Checkpoint, { kvType, runsAhead }: Pick<Backend, 'kvType' | 'runsAhead'>, options: Pick<TextModelOptions, 'contextLength' | 'chunk' | 'taken'>): TextPlans {
  const config = checkpoint.config.text
  const kv = kvLayout(config, options.contextLength, options.chunk)
  const limits = { rows: options.chunk, taken: options.taken ?? 1 }
  const weightType = (name: string): WeightType => tensorOf(checkpoint, name).type
  const images = checkpoint.config.vision !== undefined
  const shared = { kv, kvType, weightType, samples: runsAhead > 1 }
  const prefill = textPlan(config, { ...shared, name: 'prefill', limits, images })
  const decode = textPlan(config, { ...shared, name: 'decode', limits: { rows: 1, taken: 1 } })
  return { kv, limits, prefill, decode, images }
}

export async function loadTextModel(checkpoint: Checkpoint, backend: Backend, options: TextModelOptions): Promise<TextModel> {
  const { signal } = options
  const config = checkpoint.config.text
  const { kv, limits, prefill: plan, decode: decodePlan, images } = textPlans(checkpoint, backend, options)
  backend.estimate(plan.buffers, { limits }) // weights, workspace and one session: refused before gigabytes have been read

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
    return createTextModel({ backend, config, kv, plan, decodePlan, weights, workspace, mask, images })
  } catch (error) {
    for (const memory of allocated) memory.dispose()
    throw error
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
  /** The prefill plan takes image rows. */
  readonly images: boolean
}

function createTextModel({ backend, config, kv, plan, decodePlan, weights, workspace, mask, images }: Parts): TextModel {
  const { headDim, hiddenSize, slidingWindow, vocabSize } = config
  const enqueue = createTaskQueue()
  let failure: GemmaError | undefined
  void backend.lost.then((error) => {
    failure = error
  })
  const sectionNamed = (name: string): number => plan.sections.findIndex((section) => section.name === name)
  const [layerSections, headSections] = [sectionNamed('norm'), sectionNamed('topK') + 1]
  let lastForward: KvCache | undefined

  // Host copies of the inputs, [chunk] or [chunk, headDim].
  const chunk = plan.limits.rows
  const ids = new Int32Array(chunk)
  const ranges = { beginLocal: new Int32Array(chunk), beginGlobal: new Int32Array(chunk), end: new Int32Array(chunk) }
  const rope = { local: new Float32Array(chunk * headDim), global: new Float32Array(chunk * headDim) }

  const writeInputs = async (position: number, args: ForwardArgs, spans: readonly KeyedSpan[]): Promise<void> => {
    const rows = args.ids.length
    const isUnread = Number.isNaN(args.ids[0])
    if (!isUnread) ids.set(args.ids.map((id) => (isImageKey(id) ? 0 : id)))
    fillRanges({ position, rows, slidingWindow, images: spans }, ranges)
    const writes = [
      ...(isUnread ? [] : [workspace.write(textBuffers.ids, ids.subarray(0, rows))]),
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
    if (args.choose !== undefined) {
      writes.push(workspace.write(textBuffers.settings, args.choose.settings), workspace.write(textBuffers.u, Float32Array.of(args.choose.u)))
    }
    if (images) writes.push(...writeImages(position, rows, spans, args.imageRows))
    await Promise.all(writes)
  }

  /** Image rows in the order of the images, and which one takes the place of each row. */
  const writeImages = (position: number, rows: number, spans: readonly KeyedSpan[], imageRows?: ImageRows): Promise<void>[] => {
    const index = new Int32Array(rows).fill(-1)
    let placed = 0
    const writes = spans.map(({ key, begin, end }) => {
      const found = imageRows?.get(key)
      if (found?.length !== (end - begin) * hiddenSize) throw new GemmaError('internal', 'An image in the prompt is cut, or its features are not there. Please report this.')
      const first = placed
      for (let at = begin; at < end; at++) index[at - position] = placed++
      return workspace.write(textBuffers.imageRows, found, first)
    })
    return [...writes, workspace.write(textBuffers.imageIndex, index)]
  }

  return {
    config,
    kv,
    plan,
    workspace,
    mask,
    runsAhead: Math.min(backend.runsAhead, chunk + 1), // the rings can go back over as many wasted tokens
    get lastForward() {
      return lastForward
    },
    exclusive: (task, signal) =>
      enqueue(() => {
        if (failure !== undefined) throw failure
        return task()
      }, signal),
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
      const spans = imageSpans(args.ids, position)
      lastForward = cache
      await writeInputs(position, args, spans)
      const end = args.take.length === 0 ? layerSections : args.choose === undefined ? headSections : plan.sections.length
      const executable = rows === 1 && args.take.length <= 1 && spans.length === 0 ? cache.decode : cache.prefill
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
    async readChosen() {
      const chosen = new Int32Array(1)
      await workspace.read(textBuffers.chosen, chosen)
      return chosen[0]
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
