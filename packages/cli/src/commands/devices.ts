import type { CudaDevice } from '@facetjs/backend-cuda'
import { formatBytes } from '../format.ts'

export interface DevicesOptions {
  readonly json?: boolean
}

/** The GPUs that --backend cuda can run on. Where there are none, the error says what is missing. */
export async function listDevices({ json = false }: DevicesOptions): Promise<void> {
  const { cudaDevices } = await import('@facetjs/backend-cuda')
  const devices = cudaDevices()
  process.stdout.write(json ? `${JSON.stringify(devices, null, 2)}\n` : `${devices.map(describe).join('\n')}\n`)
}

function describe({ index, name, totalBytes, computeCapability, driver, problem }: CudaDevice): string {
  const line = `${index}  ${name}, ${formatBytes(totalBytes)}, sm_${computeCapability.join('')}, driver ${driver}`
  return problem === undefined ? line : `${line}\n   cannot be used: ${problem}`
}
