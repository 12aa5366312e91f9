/** What becomes of buffers in a plan: which fusions need it to know. */
import { type BufferName, type Plan, type Step, writtenBy } from '@facetjs/core/backend'

export interface Flow {
  /** Numbers of the steps after `last` that read what the buffer holds then. */
  readers(name: BufferName, last: number): readonly number[]
  /** Nobody reads what step `index` leaves in the buffer but the steps up to `last`. */
  isOnlyRead(name: BufferName, index: number, last: number): boolean
  step(index: number): Step
  /** The section that a step is in. */
  sectionOf(index: number): number
}

export function createFlow({ buffers, steps, sections }: Plan): Flow {
  const scratch = new Set(buffers.filter(({ role }) => role === 'scratch').map(({ name }) => name))
  const readers = (name: BufferName, last: number): number[] => {
    const found: number[] = []
    for (let index = last + 1; index < steps.length; index++) {
      if (readBy(steps[index]).includes(name)) found.push(index)
      if (writtenBy(steps[index]).includes(name)) break
    }
    return found
  }
  return {
    readers,
    isOnlyRead: (name, index, last) => scratch.has(name) && readers(name, index).every((reader) => reader <= last),
    step: (index) => steps[index],
    sectionOf: (index) => sections.findIndex(({ begin, end }) => index >= begin && index < end),
  }
}

/** Fields that a step only writes. In placeRows, rows of `out` may stay. */
const outputs: Readonly<Partial<Record<Step['op'], readonly string[]>>> = {
  placeRows: [],
  normRopeStore: ['kCache', 'vCache'],
  attention: ['out', 'probabilities'],
  topK: ['ids', 'values', 'logSumExp'],
  sample: ['out', 'next'],
}

function readBy(step: Step): BufferName[] {
  const only = outputs[step.op] ?? ['out']
  return Object.entries(step).flatMap(([field, value]) => (field !== 'op' && field !== 'activation' && typeof value === 'string' && !only.includes(field) ? [value] : []))
}
