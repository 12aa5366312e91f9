/** For tests: which adapter they run on, and a hand on what it gives out. */
import { existsSync } from 'node:fs'
import process from 'node:process'
import type { BackendFactory } from '@facetjs/core/backend'
import { findGpu } from '#platform'
import { openDevice } from './device.ts'

/** Where there is no adapter, tests are skipped with the reason; in CI they fail. */
export async function whyNoWebGpu(): Promise<string | undefined> {
  return await skipReason(async () => (await openDevice({})).destroy())
}

/** Where packages put the driver of Mesa's lavapipe: Vulkan on the CPU, with f16 and subgroups. */
export const lavapipeDrivers: readonly string[] = ['lvp_icd.json', 'lvp_icd.x86_64.json', 'lvp_icd.aarch64.json'].map((file) => `/usr/share/vulkan/icd.d/${file}`)

/** What f16 and subgroups of 8 were tested with; Debian 12's own is 22.3. */
export const LEAST_MESA = 25

/** Makes lavapipe the adapter of this process. To be called before anything asks for one. @returns why there is none; in CI it throws */
export async function useLavapipe(): Promise<string | undefined> {
  return await skipReason(async () => {
    const driver = lavapipeDrivers.find((path) => existsSync(path))
    if (driver === undefined) throw new Error(`no lavapipe here. Install Mesa ${LEAST_MESA} or later (Debian: the package mesa-vulkan-drivers; pnpm test installs it for root)`)
    process.env['VK_DRIVER_FILES'] = driver
    const device = await openDevice({})
    device.destroy()
    const [, version] = /llvmpipe.*Mesa (\d+)/.exec(device.name) ?? []
    if (!(Number(version) >= LEAST_MESA)) throw new Error(`the adapter is "${device.name}", and lavapipe of Mesa ${LEAST_MESA} or later is wanted`)
  })
}

async function skipReason(probe: () => Promise<void>): Promise<string | undefined> {
  try {
    await probe()
    return undefined
  } catch (error) {
    if (process.env['FACET_REQUIRE_CHROMIUM'] === '1') throw error // CI has both, Chromium's SwiftShader and lavapipe
    return error instanceof Error ? error.message : String(error)
  }
}

/** A factory whose backend serves all cases, so that kernels are compiled once. */
export async function shared(factory: BackendFactory, numerics: 'exact' | 'fast'): Promise<{ readonly factory: BackendFactory; readonly dispose: () => Promise<void> }> {
  const backend = await factory.open({ numerics })
  return { factory: { name: factory.name, open: async () => ({ ...backend, dispose: async () => {} }) }, dispose: () => backend.dispose() }
}

export interface Hand {
  /** Before the app sees it. An adapter is one's own: its methods may be replaced. */
  readonly onAdapter?: (adapter: GPUAdapter) => void
  readonly onDevice?: (device: GPUDevice) => void
}

/** The machine's WebGPU, with a hand on what it gives out. */
export async function handOn({ onAdapter, onDevice }: Hand): Promise<GPU> {
  const gpu = await findGpu()
  if (gpu === undefined) throw new Error('no WebGPU')
  const requestAdapter = async (options?: GPURequestAdapterOptions): Promise<GPUAdapter | null> => {
    const adapter = await gpu.requestAdapter(options)
    if (adapter === null) return null
    const requestDevice = adapter.requestDevice.bind(adapter)
    adapter.requestDevice = async (descriptor) => {
      const device = await requestDevice(descriptor)
      onDevice?.(device)
      return device
    }
    onAdapter?.(adapter)
    return adapter
  }
  return new Proxy(gpu, { get: (target, key) => (key === 'requestAdapter' ? requestAdapter : Reflect.get(target, key, target)) })
}
