// The addon for machines without a compiler: node --conditions=@facetjs/source native/prebuild.ts [linux-x64] [linux-arm64] [win32-x64]; all without any.
// Run before a release, with zig's compiler (from PyPI, Linux x64). Everything goes to npm/<platform>/, whose package.json is what is published.
import { execFile } from 'node:child_process'
import { mkdir, readdir, stat } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { findProgram, type WheelProgram } from './wheel.ts'

const run = promisify(execFile)
const native = dirname(fileURLToPath(import.meta.url))
const root = dirname(native)
const work = join(root, 'build', 'prebuild')
/** zig keeps its own libraries and what it has compiled. */
const env = { ...process.env, ZIG_GLOBAL_CACHE_DIR: join(work, 'zig'), ZIG_LOCAL_CACHE_DIR: join(work, 'zig') }

const ZIG: WheelProgram = {
  name: 'ziglang',
  version: '0.17.1',
  sha256: 'ea6cc5d87b033cf0aedfbc8f9549a908cae6c50ac31f1698188fa48a74524b54',
  size: '101 MB',
  part: 'ziglang/',
  program: 'ziglang/zig',
}

/** What zig calls them. glibc 2.28 is that of Debian 10, Ubuntu 20.04 and RHEL 8 (or older). */
const targets = {
  'linux-x64': 'x86_64-linux-gnu.2.28',
  'linux-arm64': 'aarch64-linux-gnu.2.28',
  'win32-x64': 'x86_64-windows-gnu',
} as const

export type Platform = keyof typeof targets
export const platforms: readonly Platform[] = Object.keys(targets).filter(isPlatform)

export function isPlatform(name: string): name is Platform {
  return name in targets
}

/** Where `prebuild` puts it. */
export function prebuiltAt(platform: Platform): string {
  return join(root, 'npm', platform, 'facet-cuda.node')
}

/** @returns the addon. @throws Error where there is no zig, or something does not compile */
export async function prebuild(platform: Platform): Promise<string> {
  const zig = await findProgram(ZIG)
  const headers = dirname(createRequire(import.meta.url).resolve('node-api-headers/package.json'))
  const sources = (await readdir(join(native, 'addon'))).filter((name) => name.endsWith('.cc')).toSorted()
  const inputs = [...sources.map((name) => join(native, 'addon', name)), ...(platform === 'win32-x64' ? await nodeLibraries(zig, headers) : [])]
  const file = prebuiltAt(platform)
  // Its C++ library comes into the addon, so that the machine's own does not matter.
  const args = ['-target', targets[platform], '-std=c++20', '-O2', '-fPIC', '-shared', '-s', '-fvisibility=hidden', '-Wall', '-Wextra', '-Werror', '-isystem', join(headers, 'include')]
  await run(zig, ['c++', ...args, '-o', file, ...inputs], { env, maxBuffer: 2 ** 26 })
  return file
}

/** Windows wants to know which program has the functions of Node-API. */
async function nodeLibraries(zig: string, headers: string): Promise<readonly string[]> {
  await mkdir(work, { recursive: true })
  return await Promise.all(
    ['js_native_api', 'node_api'].map(async (name) => {
      const library = join(work, `${name}.lib`)
      await run(zig, ['dlltool', '-m', 'i386:x86-64', '-d', join(headers, 'def', `${name}.def`), '-l', library], { env })
      return library
    }),
  )
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const asked = process.argv.slice(2)
  try {
    const unknown = asked.filter((name) => !isPlatform(name))
    if (unknown.length > 0) throw new Error(`There is no platform ${unknown.join(', ')}. Choose from ${platforms.join(', ')}.`)
    for (const platform of platforms.filter((each) => asked.length === 0 || asked.includes(each))) {
      const start = performance.now()
      const file = await prebuild(platform)
      console.log(`${file}: ${((await stat(file)).size / 1024).toFixed(0)} KiB after ${((performance.now() - start) / 1000).toFixed(1)} s`)
    }
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    process.exitCode = 1
  }
}
