import type { Backend, BufferDecl, Executable, Memory, Plan, RowLimits, WeightType } from '../backend.ts'
import { GemmaError } from '../errors.ts'
import type { TextConfig } from '../graph/config.ts'
import { type KvLayout, kvLayout } from '../graph/kv-layout.ts'
import { sectionPerStep, slicePlan } from '../graph/plan-builder.ts'
import { MAX_ADJUSTMENTS, textBuffers, textPlan } from '../graph/text-plan.ts'
import type { Adjustments } from '../sampling/penalties.ts'
import { createTaskQueue, type TaskQueue } from '../task-queue.ts'
import type { Checkpoint } from '../weights/checkpoint.ts'
import { type ImageRows, imageSpans } from './image-keys.ts'
import { createLogitsReader, type LogitsReader } from './logits-reader.ts'
import { openProbe, type Probe } from './probe.ts'
import { createTextInputs } from './text-inputs.ts'
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
export interface TextModel extends LogitsReader {
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
  /**
   * A token beside all answers: `inspect`, whose attention tells what it looked at, or `steps`, one section each.
   * @param kv of the cache that the token is added to. Default: keys and values of its own, which hold anything
   */
  openProbe(kind: 'inspect' | 'steps', kv?: Memory): Promise<Probe>
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
  /** A token, and what it looks at. */
  readonly inspect: Plan
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
  const one = { rows: 1, taken: 1 }
  const decode = textPlan(config, { ...shared, name: 'decode', limits: one })
  const inspect = textPlan(config, { ...shared, name: 'inspect', limits: one, samples: false, inspects: true })
  return { kv, limits, prefill, decode, inspect }
}

export async function loadTextModel(checkpoint: Checkpoint, backend: Backend, options: TextModelOptions): Promise<TextModel> {
  const { signal } = options
  const config = checkpoint.config.text
  const { kv, limits, prefill: plan, decode: decodePlan, inspect: inspectPlan } = textPlans(checkpoint, backend, options)
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
    return createTextModel({ backend, config, kv, plan, decodePlan, inspectPlan, weights, workspace, mask })
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
  readonly inspectPlan: Plan
  readonly weights: Memory
  readonly workspace: Memory
  readonly mask: Uint32Array
}

function createTextModel({ backend, config, kv, plan, decodePlan, inspectPlan, weights, workspace, mask }: Parts): TextModel {
  const enqueue = createTaskQueue()
  let failure: GemmaError | undefined
  void backend.lost.then((error) => {
    failure = error
  })
  const sectionNamed = (name: string): number => plan.sections.findIndex((section) => section.name === name)
  const [layerSections, headSections] = [sectionNamed('norm'), sectionNamed('topK') + 1]
  let lastForward: KvCache | undefined

  const inputs = createTextInputs(config, plan, workspace)

  return {
    config,
    kv,
    plan,
    workspace,
    ...createLogitsReader(workspace, config.vocabSize, mask),
    runsAhead: Math.min(backend.runsAhead, plan.limits.rows + 1), // the rings can go back over as many wasted tokens
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
      checkRoom(kv, position + rows)
      const spans = imageSpans(args.ids, position)
      lastForward = cache
      await inputs.write(position, args, spans)
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
    async readChosen() {
      const chosen = new Int32Array(1)
      await workspace.read(textBuffers.chosen, chosen)
      return chosen[0]
    },
    openProbe(kind, cache) {
      const probed = kind === 'inspect' ? inspectPlan : sectionPerStep(slicePlan(decodePlan, 0, headSections))
      return openProbe({ backend, config, plan: probed, weights, workspace, mask, ...(cache && { kv: cache }) })
    },
    async dispose() {
      await enqueue(() => {})
      weights.dispose()
      workspace.dispose()
      await backend.dispose()
    },
  }
}

/** @throws GemmaError `context-overflow` */
export function checkRoom({ contextLength }: KvLayout, tokens: number): void {
  if (tokens <= contextLength) return
  throw new GemmaError('context-overflow', `${tokens} tokens do not fit into a context of ${contextLength}. Load the model with a larger contextLength, or shorten the prompt.`)
}

/** More ids than the device takes: the host adjusts all logits itself. */
export function fitsDevice(adjustments: Adjustments | undefined): boolean {
  return adjustments === undefined || adjustments.ids.length <= MAX_ADJUSTMENTS
}
