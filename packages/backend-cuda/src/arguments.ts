import { type BufferName, GemmaError, type Memory, type Plan } from '@facetjs/core/backend'
import type { Device } from './device.ts'
import type { AllocationHandle } from './driver/addon.ts'
import type { KernelArg, Launch } from './launch.ts'
import { type CudaMemory, send, WHOLE } from './memory.ts'

/** Where on the device an argument points. */
export type AddressOf = (arg: Exclude<KernelArg, { readonly i32: number } | { readonly f32: number }>) => bigint

export interface Binding {
  readonly device: Device
  readonly plan: Plan
  readonly memories: readonly Memory[]
  /** The run's, i32 [4]. */
  readonly parameters: AllocationHandle
  /** Memory that lives as long as the executable. */
  readonly allocate: (bytes: number) => AllocationHandle
}

/** Binds what launches name: buffers to the first memory that has them, scratch to memory of its own. */
export async function bindAddresses({ device, plan, memories, parameters, allocate }: Binding, launches: readonly Launch[]): Promise<AddressOf> {
  const { addon } = device
  const scratch = new Map<string, AllocationHandle>()
  for (const [name, { bytes, isZeroed }] of scratchWishes(launches)) {
    const allocation = allocate(bytes)
    scratch.set(name, allocation)
    if (isZeroed) await send(device, allocation, 0, new Uint8Array(bytes))
  }
  const partOf = (name: BufferName, part: string): AllocationHandle => {
    const memory = memories.find((candidate) => candidate.has(name))
    const found = memory !== undefined && isCuda(memory) ? memory.place(name)?.parts.get(part) : undefined
    if (found === undefined) throw new GemmaError('internal', `Plan ${plan.name} needs buffer ${name}${part === WHOLE ? '' : `, part ${part}`}, which none of its memories has. Allocate it first.`)
    return found
  }
  const scratchOf = (name: string): AllocationHandle => scratch.get(name) ?? partOf(name, WHOLE)
  return (arg) => {
    if ('run' in arg) return addon.addressOf(parameters)
    if ('scratch' in arg) return addon.addressOf(scratchOf(arg.scratch))
    if ('plane' in arg) return addon.addressOf(partOf(arg.plane, arg.part))
    return arg.pointer === '' ? 0n : addon.addressOf(partOf(arg.pointer, WHOLE)) + BigInt(arg.byteOffset ?? 0)
  }
}

/** What all launches together want of each name. */
function scratchWishes(launches: readonly Launch[]): ReadonlyMap<string, { readonly bytes: number; readonly isZeroed: boolean }> {
  const wishes = new Map<string, { readonly bytes: number; readonly isZeroed: boolean }>()
  for (const { args } of launches) {
    for (const arg of args) {
      if (!('scratch' in arg)) continue
      const { scratch, bytes, isZeroed = false } = arg
      const other = wishes.get(scratch)
      wishes.set(scratch, { bytes: Math.max(bytes, other?.bytes ?? 1), isZeroed: isZeroed || other?.isZeroed === true })
    }
  }
  return wishes
}

/** A kernel's parameter struct: pointers of 8 bytes, then numbers of 4, in whole words of 8. */
export function packArguments({ kernel, args }: Launch, addressOf: AddressOf): Uint8Array {
  const view = new DataView(new ArrayBuffer(args.length * 8))
  let at = 0
  for (const arg of args) {
    if ('i32' in arg) view.setInt32(at, arg.i32, true)
    else if ('f32' in arg) view.setFloat32(at, arg.f32, true)
    else {
      if (at % 8 !== 0) throw new GemmaError('internal', `Kernel ${kernel} is given a pointer behind its numbers. Name pointers first.`)
      view.setBigUint64(at, addressOf(arg), true)
    }
    at += 'i32' in arg || 'f32' in arg ? 4 : 8
  }
  return new Uint8Array(view.buffer, 0, Math.ceil(at / 8) * 8)
}

function isCuda(memory: Memory): memory is CudaMemory {
  return 'place' in memory
}
