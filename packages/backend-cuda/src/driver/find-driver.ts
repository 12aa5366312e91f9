import process from 'node:process'
import { GemmaError } from '@facetjs/core/backend'
import { type Addon, type DriverHandle, isDriverError, isMissingDriver } from './addon.ts'

/** CUDA 11.4: the first one with all functions that the addon uses. Cards that came later have drivers that are newer. */
const LEAST_VERSION = 11_040
const LEAST_VERSION_NAME = 'CUDA 11.4, which NVIDIA drivers 470 and later have'

/** CUDA_ERROR_NO_DEVICE */
const NO_DEVICE = 100

/** As people know it: 12040 is 12.4. */
export function versionName(version: number): string {
  return `${Math.floor(version / 1000)}.${Math.floor((version % 1000) / 10)}`
}

export interface DriverOptions {
  /** Path of the driver's library. Default: the environment's FACET_CUDA_DRIVER, else the system's own. */
  readonly driver?: string
}

/** @throws GemmaError `backend-unavailable`, with what is missing */
export function findDriver(addon: Addon, { driver: given }: DriverOptions): DriverHandle {
  const named = given ?? process.env['FACET_CUDA_DRIVER'] ?? ''
  const library = named === '' ? (process.platform === 'win32' ? 'nvcuda.dll' : 'libcuda.so.1') : named
  try {
    return addon.openDriver(library, LEAST_VERSION)
  } catch (cause) {
    throw new GemmaError('backend-unavailable', whyNot(library, cause), { cause })
  }
}

function whyNot(library: string, cause: unknown): string {
  if (isMissingDriver(cause)) {
    const version = versionName(cause.version)
    switch (cause.missing) {
      case 'library': return `There is no NVIDIA driver: ${cause.message}. Install the driver from nvidia.com/drivers (Debian: nvidia-driver), or use another backend.`
      case 'version': return `The NVIDIA driver is too old: it speaks CUDA ${version}, and ${LEAST_VERSION_NAME}, is needed. Install a newer driver, or use another backend.`
      case 'function': return `${library} is no NVIDIA driver that can be used: it has no ${cause.message} (CUDA ${version}). Install the driver from nvidia.com/drivers, or use another backend.`
    }
  }
  if (isDriverError(cause) && cause.cudaCode === NO_DEVICE) return noGpu
  return `The NVIDIA driver does not start: ${cause instanceof Error ? cause.message : String(cause)}. Restart the machine if the driver was updated, see that nvidia-smi works, or use another backend.`
}

export const noGpu = 'The NVIDIA driver is there, but it finds no GPU. See that nvidia-smi lists one (in a container: --gpus all) and that CUDA_VISIBLE_DEVICES is not empty, or use another backend.'
