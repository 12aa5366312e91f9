import type { Backend, Executable, Memory } from '../backend.ts'
import type { VisionConfig } from '../graph/config.ts'
import { patchCount, visionBuffers, visionPlan } from '../graph/vision-plan.ts'
import { createTaskQueue } from '../task-queue.ts'
import type { Checkpoint } from '../weights/checkpoint.ts'
import { tensorOf, writeWeights } from './write-weights.ts'

/** `load`: bytes of weights on the device, the first time only. `encode`: parts of the tower that have run. */
export interface VisionProgress {
  readonly phase: 'load' | 'encode'
  readonly done: number
  readonly total: number
}

export interface EncodeOptions {
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: VisionProgress) => void
  /** Filled with the tower's own output: f32 [P, hiddenSize]. */
  readonly lastHidden?: Float32Array
}

/** The vision tower and the projector on a device. Nothing is read or allocated before the first image. */
export interface VisionModel {
  readonly config: VisionConfig
  /**
   * One image through the tower.
   * @param patches f32 [P, numChannels · patchSize²]
   * @returns f32 [mmTokensPerImage, textHiddenSize]
   * @throws GemmaError as `Gemma.load` where the weights cannot be read or do not fit; the signal's reason when aborted, between layers.
   */
  encode(patches: Float32Array, options?: EncodeOptions): Promise<Float32Array>
  /** After what runs. */
  dispose(): Promise<void>
}

interface Loaded {
  readonly weights: Memory
  readonly workspace: Memory
  readonly executable: Executable
}

/** @param onLoaded the checkpoint is not read any more */
export function createVisionModel(checkpoint: Checkpoint, config: VisionConfig, backend: Backend, onLoaded: () => Promise<void> = async () => {}): VisionModel {
  const textHiddenSize = checkpoint.config.text.hiddenSize
  const plan = visionPlan(config, { textHiddenSize, weightType: (name) => tensorOf(checkpoint, name).type })
  const patches = patchCount(config)
  const enqueue = createTaskQueue()
  let loaded: Loaded | undefined

  const load = async ({ signal, onProgress }: EncodeOptions): Promise<Loaded> => {
    const memories: Memory[] = []
    let told = 0
    const allocate = async (isWeight: boolean): Promise<Memory> => {
      const memory = await backend.allocate(plan.buffers.filter(({ role }) => (role === 'weight') === isWeight), { limits: plan.limits, ...(signal && { signal }) })
      memories.push(memory)
      return memory
    }
    try {
      const weights = await allocate(true)
      const workspace = await allocate(false)
      await writeWeights(checkpoint, plan.buffers.filter(({ role }) => role === 'weight'), weights, {
        ...(signal && { signal }),
        onProgress({ phase, loaded: done, total }) {
          // Hundreds of small vectors: a part for each would say nothing.
          if (phase !== 'repack' || (done > 0 && done < total && done - told < total / 100)) return
          told = done
          onProgress?.({ phase: 'load', done, total })
        },
      })
      // Every patch sees all of them.
      await workspace.write(visionBuffers.begin, new Int32Array(patches))
      await workspace.write(visionBuffers.end, new Int32Array(patches).fill(patches))
      const executable = await backend.compile(plan, memories, signal)
      await onLoaded()
      return { weights, workspace, executable }
    } catch (error) {
      for (const memory of memories) memory.dispose()
      throw error
    }
  }

  return {
    config,
    encode: (input, options = {}) =>
      enqueue(async () => {
        const { signal, onProgress, lastHidden } = options
        signal?.throwIfAborted()
        loaded ??= await load(options)
        const { workspace, executable } = loaded
        await workspace.write(visionBuffers.patches, input)
        const total = plan.sections.length
        for (let section = 0; section < total; section++) {
          onProgress?.({ phase: 'encode', done: section, total })
          await executable.run({ rows: 1, position: 0, sections: [section, section + 1], ...(signal && { signal }) })
        }
        onProgress?.({ phase: 'encode', done: total, total })
        const rows = new Float32Array(config.mmTokensPerImage * textHiddenSize)
        await workspace.read(visionBuffers.imageRows, rows)
        if (lastHidden !== undefined) await workspace.read(visionBuffers.lastHidden, lastHidden)
        return rows
      }, options.signal),
    dispose: () =>
      enqueue(async () => {
        loaded?.executable.dispose()
        loaded?.weights.dispose()
        loaded?.workspace.dispose()
        loaded = undefined
      }),
  }
}
