/** What cards can do at best, from their makers' data sheets. */
export interface Card {
  readonly name: string
  readonly memoryBytesPerSecond: number
  readonly memoryBytes: number
  /** Major and minor. */
  readonly computeCapability: readonly [number, number]
  readonly multiprocessors: number
  /** Dense f16 products with f32 sums on tensor cores, operations per second. Undefined where our kernels do not use them (before sm_80). */
  readonly halfOpsPerSecond?: number
  /** f32 on ordinary cores: attention's softmax, and products of single rows where they are bound by it. */
  readonly floatOpsPerSecond: number
}

export const cards: readonly Card[] = [
  { name: 'T4', computeCapability: [7, 5], multiprocessors: 40, memoryBytesPerSecond: 320e9, memoryBytes: 16 * 2 ** 30, floatOpsPerSecond: 8.1e12 },
  { name: 'RTX 4090', computeCapability: [8, 9], multiprocessors: 128, memoryBytesPerSecond: 1008e9, memoryBytes: 24 * 2 ** 30, halfOpsPerSecond: 165e12, floatOpsPerSecond: 82.6e12 },
  { name: 'H100 SXM', computeCapability: [9, 0], multiprocessors: 132, memoryBytesPerSecond: 3350e9, memoryBytes: 80 * 2 ** 30, halfOpsPerSecond: 989e12, floatOpsPerSecond: 67e12 },
]

/** What a good kernel gets of that. */
export interface Assumptions {
  /** Of the memory's bandwidth, while single rows are multiplied. */
  readonly bandwidthShare: number
  /** Of the tensor cores' peak, while many rows are. */
  readonly computeShare: number
  /** Seconds that pass between two kernels of one graph. */
  readonly gapSeconds: number
}

export const assumptions: Assumptions = { bandwidthShare: 0.8, computeShare: 0.5, gapSeconds: 1.3e-6 }
