import type { BufferDecl, DType, Plan, RowLimits } from '../backend.ts'
import type { TextConfig } from './config.ts'
import { encodedByteLength, isWeightType } from '../weights/weight-types.ts'
import { kvLayout } from './kv-layout.ts'

/** Bytes of `count` values. */
export function dtypeBytes(dtype: DType, count: number): number {
  return isWeightType(dtype) ? encodedByteLength(dtype, count) : count * 4
}

export function shapeOf(buffer: BufferDecl, limits: RowLimits): number[] {
  return buffer.shape.map((dim) => (typeof dim === 'number' ? dim : limits[dim]))
}

export function elementCount(buffer: BufferDecl, limits: RowLimits): number {
  return shapeOf(buffer, limits).reduce((product, dim) => product * dim, 1)
}

/** Bytes that a plan's buffers take by role, in the encodings that it declares. */
export function planBytes(plan: Plan): { readonly weights: number; readonly kv: number; readonly scratch: number } {
  const sum = { weights: 0, kv: 0, scratch: 0 }
  for (const buffer of plan.buffers) {
    const bytes = dtypeBytes(buffer.dtype, elementCount(buffer, plan.limits))
    sum[buffer.role === 'weight' ? 'weights' : buffer.role === 'kv' ? 'kv' : 'scratch'] += bytes
  }
  return sum
}

export interface MemoryEstimateOptions {
  readonly contextLength: number
  readonly prefillChunk?: number
  readonly kvType?: 'f32' | 'f16'
}

/** KV bytes of one session: with rings on local layers, and what a full-length cache would take. */
export function estimateKv(config: TextConfig, { contextLength, prefillChunk = 512, kvType = 'f16' }: MemoryEstimateOptions): { readonly kv: number; readonly kvFull: number } {
  const bytesPerSlot = 2 * config.numKeyValueHeads * config.headDim * dtypeBytes(kvType, 1)
  const { capacities } = kvLayout(config, contextLength, Math.min(prefillChunk, contextLength))
  return {
    kv: capacities.reduce((sum, slots) => sum + slots * bytesPerSlot, 0),
    kvFull: capacities.length * contextLength * bytesPerSlot,
  }
}
