import { existsSync } from 'node:fs'
import process from 'node:process'

/** Where Debian's chromium keeps SwiftShader, and the Vulkan loader that finds it. */
const chromium = '/usr/lib/chromium'

/** A GPU's device files on Linux: what runs on it is not to run on the CPU. */
const gpus = ['/dev/nvidia0', '/dev/dri/renderD128']

/**
 * What a process's environment needs for WebGPU without a GPU: Vulkan on the CPU, which Debian's chromium brings. Nothing where a driver is
 * named already, where there is a GPU, or no chromium. It has to be there when the process starts.
 */
export function softwareVulkan(): Readonly<Record<string, string>> {
  const driver = `${chromium}/vk_swiftshader_icd.json`
  if (process.env['VK_DRIVER_FILES'] !== undefined || gpus.some(existsSync) || !existsSync(driver)) return {}
  const paths = [chromium, ...(process.env['LD_LIBRARY_PATH'] ?? '').split(':').filter((folder) => folder !== '')]
  return { VK_DRIVER_FILES: driver, LD_LIBRARY_PATH: paths.join(':') }
}
