/** lavapipe, Mesa's Vulkan on the CPU: what WebGPU's tests with f16 and subgroups run on. On Debian it is installed when it is missing. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { LEAST_MESA, lavapipeDrivers } from '../packages/backend-webgpu/src/webgpu.testing.ts'
import { aptInstall, canInstall } from './apt.ts'

const run = promisify(execFile)

const PACKAGE = 'mesa-vulkan-drivers'

/**
 * The driver's path: the machine's own, else (root on Debian or Ubuntu) a fresh one from apt.
 * @throws Error that says how to get one.
 */
export async function findLavapipe(): Promise<string> {
  const found = await installed()
  if (found !== undefined) return found
  if (!canInstall()) throw new Error(`There is no lavapipe of Mesa ${LEAST_MESA} here. Install it (Debian 12: apt-get install -t bookworm-backports ${PACKAGE}; later ones: apt-get install ${PACKAGE}).`)
  const release = await backports()
  await aptInstall([PACKAGE], { size: 'about 50 MB', ...(release !== undefined && { release }) })
  const fresh = await installed()
  if (fresh === undefined) throw new Error(`apt-get installed ${PACKAGE}, but it is no Mesa ${LEAST_MESA}. Use a later system, or one with backports.`)
  return fresh
}

/** Undefined where apt's is too old. Where there is no dpkg, the tests look at the version themselves. */
async function installed(): Promise<string | undefined> {
  const driver = lavapipeDrivers.find((path) => existsSync(path))
  if (driver === undefined) return undefined
  const version = await run('dpkg-query', ['-W', '-f=${Version}', PACKAGE]).then(({ stdout }) => Number.parseInt(stdout, 10), () => NaN)
  return version < LEAST_MESA ? undefined : driver
}

/** Debian 12 has an older Mesa, and a newer one in its backports: made known to apt, which takes from there only what is asked for. */
async function backports(): Promise<string | undefined> {
  const release = 'bookworm-backports'
  const system = await readFile('/etc/os-release', 'utf8')
  if (!/^ID=debian$/m.test(system) || !/^VERSION_CODENAME=bookworm$/m.test(system)) return undefined
  const { stdout: known } = await run('apt-cache', ['policy'])
  if (!known.includes(release)) await writeFile(`/etc/apt/sources.list.d/${release}.list`, `deb http://deb.debian.org/debian ${release} main\n`)
  return release
}
