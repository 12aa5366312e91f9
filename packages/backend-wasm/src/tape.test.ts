import { expect, test } from 'vitest'
import type { BufferName, Plan, Step } from '@facetjs/core/backend'
import { kvLayout, textPlan } from '@facetjs/core/inspect'
import { tinyConfig } from '@facetjs/core/testing'
import { operand, type Placed, writeTape } from './tape.ts'
import { tapeOp } from './tape-ops.ts'

const names = Object.keys(tapeOp)

function tapeOfLayer(fast: boolean): string[] {
  const limits = { rows: 8, taken: 1 }
  const plan = textPlan(tinyConfig.text, { name: 'test', limits, kv: kvLayout(tinyConfig.text, 32, 8), kvType: 'f32', weightType: () => 'q8_0' })
  let offset = 64
  const places = new Map<BufferName, Placed>(plan.buffers.map((decl) => [decl.name, { decl, offset: (offset += 64) }]))
  const { words, sectionStarts } = writeTape(plan, { threads: 2, fast, place: (name) => places.get(name) ?? { decl: plan.buffers[0], offset: 0 }, operandOf: () => operand.q16, attentionBytes: () => 64 }, () => (offset += 64))
  return opsOf(words, sectionStarts[1], sectionStarts[2])
}

function opsOf(words: Int32Array, begin: number, end: number): string[] {
  const found: string[] = []
  for (let at = begin; at < end; at += words[at + 1]) found.push(names[words[at]])
  return found
}

function fail(name: string): never {
  throw new Error(`no buffer ${name}`)
}

/** A layer as people would write it: a bar is a barrier. */
const layer = (text: string): string[] => text.trim().split(/\s+/).map((word) => (word === '|' ? 'barrier' : word))

test('a layer has a barrier exactly where threads depend on each other', () => {
  expect(tapeOfLayer(false)).toEqual(layer(`
    section rmsNorm | linear linear linear | normRopeStore | attention | linear | rmsNorm rmsNorm | gatedLinear | linear | rmsNorm`))
  expect(tapeOfLayer(true)).toEqual(layer(`
    section rmsNorm quantize | linear linear linear | normRopeStore | attention | quantize | linear | rmsNorm rmsNorm quantize | gatedLinear | quantize | linear | rmsNorm`))
})

test('steps that share scratch have a barrier between them, though they share no buffer', () => {
  const buffers = ['a', 'b'].flatMap((letter) => ['q', 'k', 'v', 'out'].map((name) => `${letter}.${name}`))
  const places = new Map<BufferName, Placed>(['begin', 'end', ...buffers].map((name, i) => [name, { decl: { name, role: 'scratch', dtype: 'f32', shape: ['rows', 8] }, offset: 64 * (i + 1) }]))
  const attend = (letter: string): Step => ({ op: 'attention', q: `${letter}.q`, k: `${letter}.k`, v: `${letter}.v`, out: `${letter}.out`, begin: 'begin', end: 'end', headDim: 8, scale: 1 })
  const plan: Plan = { name: 'test', limits: { rows: 1, taken: 0 }, buffers: [], steps: [attend('a'), attend('b')], sections: [{ name: 'all', begin: 0, end: 2 }] }
  const { words } = writeTape(plan, { threads: 2, fast: false, place: (name) => places.get(name) ?? fail(name), operandOf: () => operand.values, attentionBytes: () => 64 }, () => 4096)
  expect(opsOf(words, 0, words.length)).toEqual(['section', 'attention', 'barrier', 'attention'])
})
