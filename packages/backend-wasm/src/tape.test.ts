import { expect, test } from 'vitest'
import type { BufferName } from '@facetjs/core/backend'
import { kvLayout, textPlan } from '@facetjs/core/inspect'
import { tinyConfig } from '@facetjs/core/testing'
import { type Placed, writeTape } from './tape.ts'
import { tapeOp } from './tape-ops.ts'

const names = Object.keys(tapeOp)

function tapeOfLayer(fast: boolean): string[] {
  const limits = { rows: 8, taken: 1 }
  const plan = textPlan(tinyConfig.text, { name: 'test', limits, kv: kvLayout(tinyConfig.text, 32, 8), kvType: 'f32', weightType: () => 'q8_0' })
  let offset = 64
  const places = new Map<BufferName, Placed>(plan.buffers.map((decl) => [decl.name, { decl, offset: (offset += 64) }]))
  const { words, sectionStarts } = writeTape(plan, { threads: 2, fast, place: (name) => places.get(name) ?? { decl: plan.buffers[0], offset: 0 }, operandOf: () => 2 }, () => (offset += 64))
  const found: string[] = []
  for (let at = sectionStarts[1]; at < sectionStarts[2]; at += words[at + 1]) found.push(names[words[at]])
  return found
}

/** A layer as people would write it: a bar is a barrier. */
const layer = (text: string): string[] => text.trim().split(/\s+/).map((word) => (word === '|' ? 'barrier' : word))

test('a layer has a barrier exactly where threads depend on each other', () => {
  expect(tapeOfLayer(false)).toEqual(layer(`
    section rmsNorm | linear linear linear | normRopeStore | attention | linear | rmsNorm rmsNorm | gatedLinear | linear | rmsNorm`))
  expect(tapeOfLayer(true)).toEqual(layer(`
    section rmsNorm quantize | linear linear linear | normRopeStore | attention | quantize | linear | rmsNorm rmsNorm quantize | gatedLinear | quantize | linear | rmsNorm`))
})
