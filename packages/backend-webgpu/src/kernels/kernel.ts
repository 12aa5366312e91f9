import { type BufferName, GemmaError, type RowLimits, type RunArgs, type Step, type StepOp } from '@facetjs/core/backend'
import type { Features } from '../device.ts'
import type { Placed, Shard } from '../memory.ts'

export interface BoundBuffer {
  readonly buffer: GPUBuffer
  readonly isWritable: boolean
}

/** One dispatch: a complete WGSL module and what it is bound to. */
export interface KernelCall {
  readonly label: string
  readonly wgsl: string
  /** Bindings 1 … of group 0; binding 0 is the run's parameters. */
  readonly buffers: readonly BoundBuffer[]
  /** Workgroups of a run; none where any is 0. */
  readonly grid: (args: RunArgs) => readonly [x: number, y: number, z: number]
}

export interface KernelContext {
  readonly place: (name: BufferName) => Placed
  readonly limits: RowLimits
  /** What modules may use. `f16` is arithmetic, which only `fast` numerics allow; to keep values as halves needs no feature. */
  readonly features: Features
  /** Most workgroups in one dimension of a grid. */
  readonly maxWorkgroups: number
  /** A private buffer of the plan, by name: steps that name the same one use it in turn. */
  readonly scratch: (name: string, byteLength: number) => GPUBuffer
}

export type Kernel<Op extends StepOp> = (step: Extract<Step, { op: Op }>, context: KernelContext) => readonly KernelCall[]

/** Threads of a workgroup. */
export const THREADS = 64

/** Element types of storage buffers. */
export type ElementType = 'f32' | 'i32' | 'u32' | 'vec4f'

/** Collects the bindings of one module. A buffer that is bound twice has one binding: WebGPU knows no aliases. */
export interface Bindings {
  /** @returns the variable's name */
  read(name: string, buffer: GPUBuffer, type?: ElementType): string
  write(name: string, buffer: GPUBuffer, type?: ElementType): string
  readonly buffers: readonly BoundBuffer[]
  /** The begin of the module, where the optional features that it may use are named. */
  declarations(features?: Partial<Pick<Features, 'f16' | 'subgroups'>>): string
}

export function createBindings(): Bindings {
  interface Entry {
    readonly name: string
    readonly type: ElementType
    isWritable: boolean
  }
  const entries = new Map<GPUBuffer, Entry>()
  const bind = (name: string, buffer: GPUBuffer, type: ElementType, isWritable: boolean): string => {
    const entry = entries.get(buffer) ?? { name, type, isWritable: false }
    if (entry.type !== type) throw new GemmaError('internal', `A kernel reads ${entry.name} as ${entry.type} and as ${type}, and it can only have one type. Copy it in the plan.`)
    entry.isWritable ||= isWritable
    entries.set(buffer, entry)
    return entry.name
  }
  return {
    read: (name, buffer, type = 'f32') => bind(name, buffer, type, false),
    write: (name, buffer, type = 'f32') => bind(name, buffer, type, true),
    get buffers() {
      return Array.from(entries, ([buffer, { isWritable }]) => ({ buffer, isWritable }))
    },
    declarations({ f16 = false, subgroups = false } = {}) {
      const enabled = [...(f16 ? ['enable f16;'] : []), ...(subgroups ? ['enable subgroups;'] : [])]
      const lines = [...entries.values()].map(({ name, type, isWritable }, i) => `@group(0) @binding(${i + 1}) var<storage, ${isWritable ? 'read_write' : 'read'}> ${name}: array<${type}>;`)
      return [...enabled, runParameters, ...lines].join('\n')
    },
  }
}

/** What changes from run to run; executable.ts fills it. `negative_infinity` cannot be written in WGSL. */
const runParameters = `struct Run { rows: u32, taken: u32, position: u32, adjusted: u32, negative_infinity: u32 }
@group(0) @binding(0) var<uniform> run: Run;`

/** The only shard of a buffer that is no matrix. */
export function bufferOf({ shards: [shard] }: Placed): GPUBuffer {
  return shard.buffer
}

export function widthOf({ decl }: Placed): number {
  const [, width = 1] = decl.shape
  return Number(width)
}

/** A row count in WGSL. */
export function rowsWgsl({ decl: { shape: [first] } }: Placed): string {
  return first === 'rows' ? 'run.rows' : first === 'taken' ? 'run.taken' : `${first}u`
}

export function rowsOf({ decl: { shape: [first] } }: Placed, { rows, taken = 0 }: RunArgs): number {
  return first === 'rows' ? rows : first === 'taken' ? taken : first
}

export function maxRows({ decl: { shape: [first] } }: Placed, limits: RowLimits): number {
  return typeof first === 'number' ? first : limits[first]
}

export function f32(value: number): string {
  const text = String(Math.fround(value))
  return `${text}${/[.e]/.test(text) ? '' : '.0'}f`
}

export const u32 = (value: number): string => `${value}u`

/** More workgroups than a dimension holds go on in the second: `wg.x + wg.y * ${columns}`. */
export function spread(count: number, maxWorkgroups: number): { readonly columns: number; readonly rows: number } {
  const rows = Math.ceil(count / maxWorkgroups)
  return { columns: Math.ceil(count / rows), rows }
}

export type { Placed, Shard }
