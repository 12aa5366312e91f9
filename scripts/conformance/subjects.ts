import type { BackendFactory, Numerics } from '../../packages/core/src/index.ts'
import { reference } from '../../packages/core/src/reference/index.ts'

/** A backend with one kind of arithmetic. */
export interface Subject {
  readonly name: string
  readonly numerics: Numerics
  readonly open: () => Promise<BackendFactory>
}

/** Columns of the tables, in order. */
export const subjects: readonly Subject[] = [
  { name: 'wasm exact', numerics: 'exact', open: async () => (await import('../../packages/backend-wasm/src/index.ts')).wasm() },
  { name: 'wasm fast', numerics: 'fast', open: async () => (await import('../../packages/backend-wasm/src/index.ts')).wasm() },
  { name: 'webgpu exact', numerics: 'exact', open: async () => (await import('../../packages/backend-webgpu/src/index.ts')).webgpu() },
  { name: 'webgpu fast', numerics: 'fast', open: async () => (await import('../../packages/backend-webgpu/src/index.ts')).webgpu() },
  { name: 'reference exact', numerics: 'exact', open: async () => reference() },
]
