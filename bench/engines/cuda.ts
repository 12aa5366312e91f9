import { cuda, type CudaDevice, cudaDevices } from '../../packages/backend-cuda/src/index.ts'
import type { Numerics } from '../../packages/core/src/index.ts'
import { cudaHere } from '../../scripts/cuda-here.ts'
import { type Engine, type EngineName, isEmulated, type Loaded } from '../engine.ts'
import { facetEngine } from './facet.ts'

/** A card; where there is none, the emulated driver. */
export function cudaEngine(name: EngineName, numerics: Numerics): Engine {
  return {
    name,
    async load(model, options) {
      const here = await cudaHere()
      const engine = facetEngine(name, numerics, async (_threads, onRun) => cuda({ ...here, onRun: ({ launches, ...run }) => onRun({ ...run, dispatches: launches }) }))
      const loaded = await engine.load(model, options)
      const card = cudaDevices(here).find(({ index }) => index === (here.device ?? 0))
      return card === undefined || isEmulated(loaded.device) ? loaded : { ...loaded, ...describe(loaded.device, card) }
    },
  }
}

/** The highest clocks, as the driver has them. Memory moves data on both edges of its clock. */
function describe(device: string, { clockMhz, memoryClockMhz, memoryBusBits }: CudaDevice): Pick<Loaded, 'device' | 'readBytesPerSecond'> {
  const readBytesPerSecond = (2 * memoryClockMhz * 1e6 * memoryBusBits) / 8
  return { device: `${device}, ${clockMhz} MHz, memory ${memoryClockMhz} MHz × ${memoryBusBits} bits`, ...(readBytesPerSecond > 0 && { readBytesPerSecond }) }
}
