// Builds what is native: node --conditions=@facetjs/source native/build.ts [addon] [emulated] [ptx] [all] [--sanitize]; addon and emulated without any.
// Only what has changed is compiled. Everything goes to build/ (with --sanitize, build/sanitize/), PTX to ptx/.
import { mkdir, readdir } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join, relative } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { makeAll, type Product } from './compile.ts'
import { findCompiler } from './compiler.ts'
import { withLock } from './lock.ts'

const native = dirname(fileURLToPath(import.meta.url))
const root = dirname(native)

export interface BuildOptions {
  /** With the address and undefined behaviour sanitizers of clang. */
  readonly sanitize?: boolean
}

/** The addon, the emulated driver, and the emulator's own test, a program. */
export interface Built {
  readonly addon: string
  readonly emulated: string
  readonly selftest: string
}

/** Where `build` puts them. */
export function builtAt({ sanitize = false }: BuildOptions = {}): Built {
  const folder = folderOf({ sanitize })
  return { addon: join(folder, 'facet-cuda.node'), emulated: join(folder, 'libcuda-emulated.so'), selftest: join(folder, 'emulator-selftest') }
}

/** @throws Error where there is no compiler, or something does not compile */
export async function build(what: { readonly addon?: boolean; readonly emulated?: boolean; readonly selftest?: boolean; readonly ptx?: boolean }, options: BuildOptions = {}): Promise<Built> {
  const compiler = await findCompiler()
  const built = builtAt(options)
  await mkdir(folderOf(options), { recursive: true })
  await withLock(join(root, 'build', 'lock'), async () => {
    const library = ['-shared', ...sanitizers(options), ...(process.platform === 'linux' ? ['-Wl,-Bsymbolic'] : [])]
    const link = async (objects: readonly Product[], file: string, args: readonly string[]): Promise<void> => {
      await makeAll(objects)
      await makeAll([{ file, compiler, args, inputs: objects.map((object) => object.file), hasHeaders: false }])
    }
    if (what.addon === true) await link(await addonObjects(compiler, options), built.addon, library)
    if (what.emulated === true) await link([...(await emulatorObjects('emulator', compiler, options)), ...(await kernelObjects(compiler, options))], built.emulated, library)
    // A program has the sanitizers' library in it.
    if (what.selftest === true) await link([...(await emulatorObjects('emulator', compiler, options)), ...(await emulatorObjects('emulator/selftest', compiler, options))], built.selftest, sanitizers(options).filter((flag) => flag !== '-shared-libasan'))
    if (what.ptx === true) await makeAll(await ptxTexts(compiler))
  })
  return built
}

function folderOf({ sanitize = false }: BuildOptions): string {
  return join(root, 'build', ...(sanitize ? ['sanitize'] : []))
}

function sanitizers({ sanitize = false }: BuildOptions): readonly string[] {
  return sanitize ? ['-fsanitize=address,undefined', '-fno-sanitize-recover=undefined', '-shared-libasan', '-fno-omit-frame-pointer', '-g'] : []
}

async function sourcesIn(folder: string, ending: string): Promise<readonly string[]> {
  return (await readdir(join(native, folder))).filter((name) => name.endsWith(ending)).toSorted().map((name) => join(native, folder, name))
}

function objectOf(source: string, compiler: string, args: readonly string[], options: BuildOptions): Product {
  const file = join(folderOf(options), 'objects', `${relative(native, source)}.o`)
  return { file, compiler, args: ['-std=c++20', '-O2', '-fPIC', '-Wall', '-Wextra', '-Werror', ...sanitizers(options), ...args, '-c'], inputs: [source], hasHeaders: true }
}

/** No header or library of NVIDIA: driver.h declares what is used. */
async function addonObjects(compiler: string, options: BuildOptions): Promise<readonly Product[]> {
  const include = join(dirname(createRequire(import.meta.url).resolve('node-api-headers/package.json')), 'include')
  return (await sourcesIn('addon', '.cc')).map((source) => objectOf(source, compiler, ['-fvisibility=hidden', '-isystem', include], options))
}

// Products and sums are contracted nowhere, so that host and device compute the same.
export const emulatedFlags: readonly string[] = ['-DFACET_EMULATED', '-ffp-contract=off', ...(process.arch === 'x64' ? ['-march=native'] : [])]

/** The driver's functions and what runs kernels, or their test. */
async function emulatorObjects(folder: string, compiler: string, options: BuildOptions): Promise<readonly Product[]> {
  return (await sourcesIn(folder, '.cc')).map((source) => objectOf(source, compiler, emulatedFlags, options))
}

/** The kernels as C++ of this machine. */
async function kernelObjects(compiler: string, options: BuildOptions): Promise<readonly Product[]> {
  return (await sourcesIn('kernels', '.cu')).map((source) => objectOf(source, compiler, [...emulatedFlags, '-x', 'c++'], options))
}

/** Architectures that PTX is made for, and the least PTX version that has what they have: it decides the least driver. */
const targets = [
  { arch: 'sm_75', ptx: 'ptx63' },
  { arch: 'sm_80', ptx: 'ptx70' },
  { arch: 'sm_90', ptx: 'ptx78' },
] as const

/** One text per kernel source and architecture. */
export async function ptxTexts(compiler: string): Promise<readonly Product[]> {
  const sources = await sourcesIn('kernels', '.cu')
  return targets.flatMap(({ arch, ptx }) =>
    sources.map((source): Product => {
      const name = join('ptx', arch, `${relative(join(native, 'kernels'), source).replace(/\.cu$/, '')}.ptx`)
      const args = ['-x', 'cuda', `--cuda-gpu-arch=${arch}`, `--cuda-feature=+${ptx}`, '--cuda-device-only', '-nocudainc', '-nocudalib', '-std=c++20', '-O3', '-ffp-contract=off', '-Wall', '-Wextra', '-Werror', '-S']
      // The folder is published: it has nothing else in it.
      return { file: join(root, name), notes: join(root, 'build', 'objects', name), compiler, args, inputs: [source], hasHeaders: true }
    }),
  )
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const asked = process.argv.slice(2)
  const isWanted = (name: string): boolean => asked.includes(name) || asked.includes('all')
  const isDefault = asked.every((each) => each.startsWith('--'))
  const start = performance.now()
  try {
    await build({ addon: isDefault || isWanted('addon'), emulated: isDefault || isWanted('emulated'), ptx: isWanted('ptx') }, { sanitize: asked.includes('--sanitize') })
    console.log(`up to date after ${((performance.now() - start) / 1000).toFixed(1)} s`)
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    process.exitCode = 1
  }
}
