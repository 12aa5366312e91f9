import type { LayerType, TextConfig } from './config.ts'

/** Rings shorter than the context have a multiple of this many slots. */
const SLOT_BLOCK = 64

/** How many positions each layer remembers. Position p lives in slot p mod capacity. */
export interface KvLayout {
  readonly contextLength: number
  readonly slidingWindow: number
  /** Most rows written by one run. */
  readonly chunk: number
  /** One entry a layer. */
  readonly capacities: readonly number[]
}

/**
 * Global layers keep the whole context. A local layer needs its window before the first row of a chunk, plus the chunk:
 * a ring of min(context, window + chunk) slots.
 */
export function kvLayout(config: TextConfig, contextLength: number, chunk: number): KvLayout {
  const { slidingWindow } = config
  const ring = Math.ceil(Math.min(contextLength, slidingWindow + chunk) / SLOT_BLOCK) * SLOT_BLOCK
  const slots: Record<LayerType, number> = { global: contextLength, local: Math.min(contextLength, ring) }
  return { contextLength, slidingWindow, chunk, capacities: config.layerTypes.map((type) => slots[type]) }
}

/**
 * May a cache that holds `length` tokens go on from its first `kept`? The next row, at position kept, looks back to
 * kept − window + 1; a ring has overwritten everything before length − capacity.
 */
export function canRollBack(layout: KvLayout, length: number, kept: number): boolean {
  if (kept > length) return false
  if (kept === length || kept === 0) return true
  return layout.capacities.every((capacity) => length <= capacity || length - kept <= capacity - layout.slidingWindow + 1)
}
