import { readFile, readdir } from 'node:fs/promises'
import { GemmaError } from '@facetjs/core/backend'
import type { Device } from './device.ts'
import type { FunctionHandle, ModuleHandle } from './driver/addon.ts'
import { packageRoot } from './package-root.ts'

/** The kernels of a device, each module loaded once, when a plan first needs it. */
export interface Modules {
  functionOf(module: string, kernel: string): Promise<FunctionHandle>
}

export function createModules(device: Device): Modules {
  const { raw, context } = device
  const loading = new Map<string, Promise<ModuleHandle>>()
  const load = (name: string): Promise<ModuleHandle> => {
    const known = loading.get(name)
    if (known !== undefined) return known
    const module = textOf(device, name).then((text) => raw.loadModule(context, text))
    loading.set(name, module)
    module.catch(() => loading.delete(name)) // asked for again, it is tried again
    return module
  }
  return {
    async functionOf(module, kernel) {
      try {
        return raw.functionOf(await load(module), kernel)
      } catch (error) {
        throw device.translate(error, `kernel ${kernel} of module ${module}`)
      }
    },
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
