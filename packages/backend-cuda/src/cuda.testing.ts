/** For tests: the addon over the emulated driver, both built where they are missing or older than their sources. */
import process from 'node:process'
import { build, builtAt } from '../native/build.ts'
import { cudaDevices } from './device.ts'
import type { DriverHandle } from './driver/addon.ts'
import { findDriver } from './driver/find-driver.ts'
import { loadAddon } from './driver/load-addon.ts'

/** FACET_SANITIZE=1, with clang's sanitizer library preloaded (README.md): both with the address and undefined behaviour sanitizers. */
export const isSanitized: boolean = process.env['FACET_SANITIZE'] === '1'

/** The emulated driver's library, for `cuda()`. */
export const emulatedDriver: string = builtAt({ sanitize: isSanitized }).emulated

/** Without a compiler, tests are skipped with the reason; in CI they fail. */
export async function whyNoEmulator(): Promise<string | undefined> {
  try {
    const { addon, emulated } = await build({ addon: true, emulated: true }, { sanitize: isSanitized })
    process.env['FACET_CUDA_ADDON'] = addon
    cudaDevices({ driver: emulated })
    return undefined
  } catch (error) {
    if (process.env['FACET_REQUIRE_CHROMIUM'] === '1') throw error // CI has all that tests need
    return error instanceof Error ? error.message : String(error)
  }
}

/** What the emulated driver reads from its environment (native/emulator/options.h): names without FACET_EMULATED_. */
export type EmulatedSettings = Readonly<Partial<Record<'ORDER' | 'FAIL' | 'MEMORY' | 'CAPABILITY' | 'DRIVER' | 'DEVICES' | 'CHECK' | 'LAZY', string>>>

/** What is alive in the emulated driver; and `orphans`, which were not given back before their context was. */
export type Counts = Readonly<Record<'contexts' | 'allocations' | 'bytes' | 'hostAllocations' | 'hostBytes' | 'streams' | 'events' | 'modules' | 'graphs' | 'graphExecs' | 'orphans', number>>

export interface Emulated extends Disposable {
  /** For `cuda()`. */
  readonly driver: string
  counts(): Counts
  /** How often each function was called. */
  calls(): Readonly<Record<string, number>>
}

export const nothing: Counts = { contexts: 0, allocations: 0, bytes: 0, hostAllocations: 0, hostBytes: 0, streams: 0, events: 0, modules: 0, graphs: 0, graphExecs: 0, orphans: 0 }

/** A fresh emulated driver with these settings; one at a time. It was built by `whyNoEmulator`. */
export function emulate(settings: EmulatedSettings = {}): Emulated {
  const driver = emulatedDriver
  const names = Object.keys(settings).map((name) => `FACET_EMULATED_${name}`)
  const addon = loadAddon()
  const handle: DriverHandle = findDriver(addon, { driver })
  for (const [name, value] of Object.entries(settings)) process.env[`FACET_EMULATED_${name}`] = value
  addon.emulatedReset(handle)
  const read = (): { readonly counts: Counts; readonly calls: Readonly<Record<string, number>> } => {
    const { calls, ...counts } = JSON.parse(addon.emulatedCounts(handle))
    return { counts, calls }
  }
  return {
    driver,
    counts: () => read().counts,
    calls: () => read().calls,
    [Symbol.dispose]() {
      for (const name of names) delete process.env[name]
      addon.emulatedReset(handle)
    },
  }
}
