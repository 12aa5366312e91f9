import { type BufferName, checkRun, type Executable, GemmaError, type Memory, type Plan, type RunArgs, type TaskQueue } from '@facetjs/core/backend'
import type { Device } from './device.ts'
import { bufferUsage } from './gpu-flags.ts'
import { sectionCalls } from './kernels/neighbours.ts'
import type { KernelCall } from './kernels/kernel.ts'
import type { GpuMemory, Placed } from './memory.ts'
import type { Pipelines } from './pipelines.ts'
import { createProfiler, type RunRecorder } from './profile.ts'

interface Dispatch {
  readonly pipeline: GPUComputePipeline
  readonly bindGroup: GPUBindGroup
  readonly grid: KernelCall['grid']
}

/** Runs of one token that are on their way to the device before the next one waits. */
export const RUNS_AHEAD = 4
/** Larger ones: enough to keep it busy, few enough to stop soon. */
const CHUNKS_AHEAD = 2
/** rows, taken, position, adjusted, negative infinity; uniform buffers come in units of 16 bytes. */
const PARAMETER_BYTES = 32
const NEGATIVE_INFINITY = 0xff800000

/** A plan with its pipelines and bind groups made; a run is one pass and one submission, or one a section where it can be aborted. */
export async function compilePlan(device: Device, pipelines: Pipelines, plan: Plan, memories: readonly Memory[], enqueue: TaskQueue, signal?: AbortSignal): Promise<Executable> {
  const { gpu } = device
  if (plan.limits.rows > device.maxWorkgroups) {
    throw new GemmaError('invalid-argument', `Plan ${plan.name} has runs of ${plan.limits.rows} rows, and this GPU takes ${device.maxWorkgroups}. Give a smaller prefillChunk.`)
  }
  const owned: GPUBuffer[] = []
  const scratches = new Map<string, GPUBuffer>()
  const place = (name: BufferName): Placed => {
    const memory = memories.find((candidate) => candidate.has(name))
    const found = memory !== undefined && isGpu(memory) ? memory.place(name) : undefined
    if (found === undefined) throw new GemmaError('internal', `Plan ${plan.name} needs buffer ${name}, which none of its memories has. Allocate it first.`)
    return found
  }
  const create = (size: number, usage: number, label: string): GPUBuffer => {
    const buffer = gpu.createBuffer({ label, size, usage })
    owned.push(buffer)
    return buffer
  }
  const profiler = device.onRun && createProfiler(device, plan.name, plan.sections.length, device.onRun)
  const dispose = (): void => {
    profiler?.dispose()
    for (const buffer of owned.splice(0)) buffer.destroy()
  }
  const parameters = create(PARAMETER_BYTES, bufferUsage.uniform | bufferUsage.copyDst, `parameters of ${plan.name}`)
  const scratch = (name: string, byteLength: number): GPUBuffer => {
    // Once per size: a step that needs more gets its own.
    const known = scratches.get(name)
    if (known !== undefined && known.size >= byteLength) return known
    const buffer = create(byteLength, bufferUsage.storage, `${name} of ${plan.name}`)
    scratches.set(name, buffer)
    return buffer
  }
  const sections: Dispatch[][] = []
  try {
    const context = { place, limits: plan.limits, features: device.features, maxWorkgroups: device.maxWorkgroups, scratch }
    const calls = plan.sections.map(({ begin, end }) => sectionCalls(plan.steps.slice(begin, end), context))
    await pipelines.prepare(calls.flat(), signal)
    for (const section of calls) {
      sections.push(
        section.map((call) => {
          const { label, buffers, grid } = call
          const pipeline = pipelines.get(call)
          const entries = [parameters, ...buffers.map(({ buffer }) => buffer)].map((buffer, binding) => ({ binding, resource: { buffer } }))
          return { pipeline, grid, bindGroup: gpu.createBindGroup({ label, layout: pipeline.getBindGroupLayout(0), entries }) }
        }),
      )
    }
    device.check()
  } catch (error) {
    dispose()
    throw error
  }

  const submit = (dispatches: readonly Dispatch[], args: RunArgs, recorder?: RunRecorder): void => {
    const descriptor = recorder?.beginPass()
    const encoder = gpu.createCommandEncoder()
    const pass = encoder.beginComputePass(descriptor)
    let count = 0
    for (const { pipeline, bindGroup, grid } of dispatches) {
      const [x, y, z] = grid(args)
      if (x * y * z === 0) continue
      pass.setPipeline(pipeline)
      pass.setBindGroup(0, bindGroup)
      pass.dispatchWorkgroups(x, y, z)
      count++
    }
    pass.end()
    recorder?.endPass(encoder)
    gpu.queue.submit([encoder.finish()])
    recorder?.submitted(count)
  }
  let disposed = false
  const ahead: Promise<unknown>[] = []

  /** The tower has a single row too, of constant shapes, and takes nothing. */
  const isToken = plan.limits.rows === 1 && plan.limits.taken > 0

  const run = async (args: RunArgs): Promise<void> => {
    const { rows, taken = 0, position, adjusted = 0, sections: [begin, end] = [0, plan.sections.length], signal: stop } = args
    stop?.throwIfAborted()
    device.check()
    gpu.queue.writeBuffer(parameters, 0, Uint32Array.of(rows, taken, position, adjusted, NEGATIVE_INFINITY, 0, 0, 0))
    const chosen = sections.slice(begin, end)
    const recorder = profiler?.start()
    // A token is over before anyone could stop it.
    for (const part of stop === undefined || isToken ? [chosen.flat()] : chosen) {
      if (ahead.length >= (isToken ? RUNS_AHEAD : CHUNKS_AHEAD)) await ahead.shift()
      stop?.throwIfAborted()
      submit(part, args, recorder)
      ahead.push(gpu.queue.onSubmittedWorkDone().catch(() => {})) // a lost device is told by what comes next
    }
    recorder?.finish()
  }
  return {
    run: (args) =>
      enqueue(() => {
        if (disposed) throw new GemmaError('disposed', `Plan ${plan.name} was disposed of. Compile it again.`)
        checkRun(plan, args)
        return run(args)
      }),
    dispose() {
      void enqueue(() => {
        disposed = true
        dispose()
      })
    },
  }
}

function isGpu(memory: Memory): memory is GpuMemory {
  return 'place' in memory
}
