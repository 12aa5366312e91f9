import type { Memory, Plan } from '../backend.ts'
import { GemmaError } from '../errors.ts'
import type { TextConfig } from '../graph/config.ts'
import { fillRanges } from '../graph/ranges.ts'
import { fillRope } from '../graph/rope.ts'
import { textBuffers } from '../graph/text-plan.ts'
import { type ImageRows, isImageKey, type KeyedSpan } from './image-keys.ts'
import type { ForwardArgs } from './text-model.ts'

/** Writes what a run of the text model reads: ids, ranges, rotations, places of images. */
export interface TextInputs {
  /** @param spans the images among `args.ids` */
  write(position: number, args: ForwardArgs, spans: readonly KeyedSpan[]): Promise<void>
}

/** @param memory has the plan's input buffers */
export function createTextInputs(config: TextConfig, plan: Plan, memory: Memory): TextInputs {
  const { headDim, hiddenSize, slidingWindow } = config
  const layerTypes = new Set(config.layerTypes)
  const takesImages = plan.buffers.some(({ name }) => name === textBuffers.imageRows)
  // Host copies of the inputs, [chunk] or [chunk, headDim].
  const chunk = plan.limits.rows
  const ids = new Int32Array(chunk)
  const ranges = { beginLocal: new Int32Array(chunk), beginGlobal: new Int32Array(chunk), end: new Int32Array(chunk) }
  const rope = { local: new Float32Array(chunk * headDim), global: new Float32Array(chunk * headDim) }

  /** Image rows in the order of the images, and which one takes the place of each row. */
  const writeImages = (position: number, rows: number, spans: readonly KeyedSpan[], imageRows?: ImageRows): Promise<void>[] => {
    const index = new Int32Array(rows).fill(-1)
    let placed = 0
    const writes = spans.map(({ key, begin, end }) => {
      const found = imageRows?.get(key)
      if (found?.length !== (end - begin) * hiddenSize) throw new GemmaError('internal', 'An image in the prompt is cut, or its features are not there. Please report this.')
      const first = placed
      for (let at = begin; at < end; at++) index[at - position] = placed++
      return memory.write(textBuffers.imageRows, found, first)
    })
    return [...writes, memory.write(textBuffers.imageIndex, index)]
  }

  return {
    async write(position, args, spans) {
      const rows = args.ids.length
      const isUnread = Number.isNaN(args.ids[0])
      if (!isUnread) ids.set(args.ids.map((id) => (isImageKey(id) ? 0 : id)))
      fillRanges({ position, rows, slidingWindow, images: spans }, ranges)
      const writes = [
        ...(isUnread ? [] : [memory.write(textBuffers.ids, ids.subarray(0, rows))]),
        memory.write(textBuffers.end, ranges.end.subarray(0, rows)),
        memory.write(textBuffers.takeIndex, Int32Array.from(args.take)),
      ]
      for (const type of layerTypes) {
        fillRope(config, type, position, rows, rope[type])
        writes.push(memory.write(textBuffers.rope[type], rope[type].subarray(0, rows * headDim)))
        const begin = type === 'local' ? ranges.beginLocal : ranges.beginGlobal
        writes.push(memory.write(textBuffers.begin[type], begin.subarray(0, rows)))
      }
      if (args.adjustments !== undefined) {
        writes.push(memory.write(textBuffers.adjustIds, args.adjustments.ids), memory.write(textBuffers.adjust, args.adjustments.values))
      }
      if (args.choose !== undefined) {
        writes.push(memory.write(textBuffers.settings, args.choose.settings), memory.write(textBuffers.u, Float32Array.of(args.choose.u)))
      }
      if (takesImages) writes.push(...writeImages(position, rows, spans, args.imageRows))
      await Promise.all(writes)
    },
  }
}
