/** Where Chromium is; on Debian it is installed when it is missing. */
import { constants } from 'node:fs'
import { access } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import process from 'node:process'
import { aptInstall, canInstall } from './apt.ts'

const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome']
/** Where it lies without being on the PATH. */
const places = ['/usr/bin/chromium', '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome', '/Applications/Chromium.app/Contents/MacOS/Chromium']

/** What a browser needs in a container and on a closed network: no sandbox for root, no calls home. */
export const chromiumFlags: readonly string[] = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** WebGPU without a GPU: Chromium's own SwiftShader. In the place of `--disable-gpu`. */
export const webGpuFlags: readonly string[] = [
  ...chromiumFlags.filter((flag) => flag !== '--disable-gpu'),
  '--enable-unsafe-webgpu',
  '--use-webgpu-adapter=swiftshader',
  '--enable-features=Vulkan',
  '--use-vulkan=swiftshader',
  '--disable-vulkan-surface',
  '--ignore-gpu-blocklist',
]

/**
 * The path of a Chromium or Chrome: the environment's CHROMIUM, else the machine's own, else (root on Debian or Ubuntu) a fresh one from apt.
 * @throws Error that says how to get one.
 */
export async function findChromium(): Promise<string> {
  const named = process.env['CHROMIUM']
  if (named !== undefined && named !== '') {
    if (await isExecutable(named)) return named
    throw new Error(`CHROMIUM names ${named}, which is no program. Correct it, or unset it to use the machine's own.`)
  }
  const found = await firstExecutable()
  if (found !== undefined) return found

  if (!canInstall()) throw new Error('There is no Chromium here. Install it (Debian: apt-get install chromium), or set CHROMIUM to the path of a Chromium or Chrome.')
  await aptInstall(['chromium'], { size: 'about 300 MB' })
  const installed = await firstExecutable()
  if (installed === undefined) throw new Error('apt-get installed chromium, but no program of that name appeared. Set CHROMIUM to its path.')
  return installed
}

async function firstExecutable(): Promise<string | undefined> {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '')
  for (const path of [...folders.flatMap((folder) => names.map((name) => join(folder, name))), ...places]) {
    if (await isExecutable(path)) return path
  }
  return undefined
}

async function isExecutable(path: string): Promise<boolean> {
  return await access(path, constants.X_OK).then(
    () => true,
    () => false,
  )
}
