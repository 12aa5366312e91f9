/** What the attention kernels share. */
import type { Step } from '@facetjs/core/backend'
import { readCacheWgsl, seenWgsl } from './cache.wgsl.ts'
import { type Bindings, bufferOf, type KernelContext, maxRows, u32, widthOf } from './kernel.ts'

export type AttentionStep = Extract<Step, { op: 'attention' }>

/** Below every score, and finite: WGSL promises nothing for infinities. */
export const LOWEST = '-3.0e38f'

export function shapesOf({ q, k, headDim }: AttentionStep, { place, limits }: KernelContext): { readonly heads: number; readonly kvHeads: number; readonly capacity: number; readonly group: number } {
  const [heads, kvHeads] = [widthOf(place(q)) / headDim, widthOf(place(k)) / headDim]
  return { heads, kvHeads, capacity: maxRows(place(k), limits), group: heads / kvHeads }
}

/** Queries, keys, values and what is seen of them. */
export function readsWgsl(bindings: Bindings, step: AttentionStep, { place }: KernelContext): string {
  const qName = bindings.read('q', bufferOf(place(step.q)))
  return `${readCacheWgsl(bindings, 'k', place(step.k))}
${readCacheWgsl(bindings, 'v', place(step.v))}
${seenWgsl(bindings, place(step.begin), place(step.end))}
fn load_q(row: u32, head: u32, d: u32) -> f32 { return ${qName}[row * ${u32(widthOf(place(step.q)))} + head * ${u32(step.headDim)} + d]; }`
}
