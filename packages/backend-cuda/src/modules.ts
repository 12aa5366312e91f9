import { readFile, readdir } from 'node:fs/promises'
import { GemmaError } from '@facetjs/core/backend'
import type { Device } from './device.ts'
import type { FunctionHandle, ModuleHandle } from './driver/addon.ts'
import { packageRoot } from './package-root.ts'

/** A module of kernels that has been loaded for a plan. */
export interface ModuleLoad {
  readonly plan: string
  readonly module: string
  /** Modules of this plan that are there, this one included, of those that it was the first to need. */
  readonly done: number
  readonly total: number
  /** From when it was asked for; the driver compiles several at a time. */
  readonly ms: number
}

/** The kernels of a device, each module loaded once, when a plan first needs it. */
export interface Modules {
  /** Loads what is not there yet, telling of it. */
  load(plan: string, modules: ReadonlySet<string>): Promise<void>
  functionOf(module: string, kernel: string): Promise<FunctionHandle>
}

export function createModules(device: Device): Modules {
  const { raw, context } = device
  const loading = new Map<string, Promise<ModuleHandle>>()
  const translated = async <T>(what: string, work: () => Promise<T>): Promise<T> => {
    try {
      return await work()
    } catch (error) {
      throw device.translate(error, what)
    }
  }
  const moduleOf = (name: string): Promise<ModuleHandle> => {
    const known = loading.get(name)
    if (known !== undefined) return known
    const module = textOf(device, name).then((text) => raw.loadModule(context, text))
    loading.set(name, module)
    module.catch(() => loading.delete(name)) // asked for again, it is tried again
    return module
  }
  return {
    async load(plan, modules) {
      const missing = [...modules].filter((name) => !loading.has(name))
      const begun = performance.now()
      let done = 0
      await Promise.all(
        missing.map((module) =>
          translated(`module ${module}`, async () => {
            await moduleOf(module)
            device.onModule?.({ plan, module, done: ++done, total: missing.length, ms: performance.now() - begun })
          }),
        ),
      )
    },
    functionOf: (module, kernel) => translated(`kernel ${kernel} of module ${module}`, async () => raw.functionOf(await moduleOf(module), kernel)),
  }
}

/** PTX is compatible upwards: the newest that the GPU can run. The emulated driver has the kernels in itself. */
async function textOf({ isEmulated, computeCapability: [major, minor] }: Device, name: string): Promise<string> {
  if (isEmulated) return `facet-emulated module ${name}`
  const folder = new URL('ptx/', packageRoot)
  const most = major * 10 + minor
  const archs = (await readdir(folder).catch((): string[] => []))
    .map((each) => Number(each.replace(/^sm_/, '')))
    .filter((arch) => arch <= most)
    .toSorted((a, b) => b - a)
  for (const arch of archs) {
    const text = await readFile(new URL(`sm_${arch}/${name}.ptx`, folder), 'utf8').catch(() => undefined)
    if (text !== undefined) return text
  }
  throw new GemmaError('internal', `There is no PTX of ${name} for sm_${most} in ${folder.pathname}. In a checkout, run node native/build.ts ptx in packages/backend-cuda; elsewhere install the package again.`)
}
