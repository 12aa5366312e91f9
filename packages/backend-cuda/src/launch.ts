/**
 * What a step becomes: kernel launches with constant arguments. kernels/ writes them, executable.ts binds and runs them.
 *
 * A kernel has one parameter, a struct by value: its pointers first (8 bytes each), then numbers of 4 bytes, in the order of `args`. The first
 * pointer is always the run's parameters, i32 [4]: rows, position, taken, adjusted. What changes from run to run is read from there, so that
 * the launches of a decode plan can be captured once and replayed.
 */
import type { BufferName } from '@facetjs/core/backend'

/** The variable dimensions of a run: what grids may depend on. */
export interface RunShape {
  readonly rows: number
  readonly taken: number
}

export type KernelArg =
  /** The buffer's first byte, or `byteOffset` behind it. '' is a null pointer: an optional buffer that is not there. */
  | { readonly pointer: BufferName; readonly byteOffset?: number }
  /** A part of a weight's device layout, as `weightLayout` names it. */
  | { readonly plane: BufferName; readonly part: string }
  /** The run's parameters. */
  | { readonly run: true }
  | { readonly i32: number }
  | { readonly f32: number }
  /** Memory of the executable that its steps share by name: as large as the largest wish. Undefined before each run; with `isZeroed`, zero before the first. */
  | { readonly scratch: string; readonly bytes: number; readonly isZeroed?: true }

export interface Launch {
  /** The .cu file's name without its ending. */
  readonly module: string
  readonly kernel: string
  readonly blockThreads: number
  /** Blocks in x, y and z. Nothing is launched where one of them is 0. */
  readonly grid: (run: RunShape) => readonly [x: number, y: number, z: number]
  /** Pointers first, then numbers. */
  readonly args: readonly KernelArg[]
  readonly reads: readonly BufferName[]
  readonly writes: readonly BufferName[]
}

/** What a section of a plan launches, in order. */
export interface SectionLaunches {
  /** Index into `plan.sections`. */
  readonly section: number
  readonly launches: readonly Launch[]
}

/** What kernels are chosen by. */
export interface LaunchOptions {
  readonly numerics: 'exact' | 'fast'
  /** Major and minor. */
  readonly computeCapability: readonly [number, number]
  readonly multiprocessors: number
  readonly kvType: 'f32' | 'f16'
}
