// `pnpm device:bundle [FILE]`: facet-device.tar.gz, all that a Linux x64 machine with a GPU needs to run conformance and bench without a
// network: Node, Dawn, sharp, CUDA's addon and PTX, the sources (Node reads TypeScript), WASM kernels, HF's fixtures and the demo model.
// scripts/device-bundle/run.sh is its one entry. Wants clang 19, tar, xz and strip (Debian: xz-utils, binutils) and a Vulkan loader to take along (libvulkan1).
import { execFileSync } from 'node:child_process'
import { copyFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, statSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { build } from '../packages/backend-cuda/native/build.ts'
import { hfFixtures } from './conformance/measure.ts'

const MOST_BYTES = 60 * 2 ** 20
const root = dirname(dirname(fileURLToPath(import.meta.url)))
const archive = resolve(process.argv[2] ?? 'facet-device.tar.gz')
const work = mkdtempSync(join(tmpdir(), 'facet-device-'))
/** What is sent, and the tree within it that xz makes small enough. */
const [outer, app] = [join(work, 'facet-device'), join(work, 'app')]

/** Of the repository, as it lies here. Folders of tests' data are named one by one. */
const sources = [
  'package.json', 'bench', 'scripts',
  ...['core', 'backend-wasm', 'backend-webgpu', 'demo-model'].flatMap((name) => ['package.json', 'src', 'wasm', 'model', 'pictures'].map((part) => `packages/${name}/${part}`)),
  ...['package.json', 'src', 'ptx', 'build/facet-cuda.node'].map((part) => `packages/backend-cuda/${part}`),
  ...['demo', 'real-270m', ...hfFixtures.map((name) => `models/${name}`)].map((name) => `packages/core/fixtures/${name}`),
]

function copySources(): void {
  for (const path of sources.filter((each) => existsSync(join(root, each)))) {
    cpSync(join(root, path), join(app, path), { recursive: true, filter: (from) => !/\/(?:node_modules|results|\.turbo)$|\.test\.ts$/.test(from) })
  }
  mkdirSync(join(app, 'docs')) // where conformance writes
}

/** An installed package and what it depends on, side by side in one node_modules. */
function copyPackage(name: string, from: string): void {
  const target = join(app, 'node_modules', name)
  const folder = join(from, name)
  if (name.startsWith('@facetjs/') || name.endsWith('/types') || existsSync(target) || !existsSync(folder)) return
  const real = realpathSync(folder)
  const otherPlatforms = /\/webgpu\/(?:build|dist\/(?!linux-x64)[^/]+)$/
  cpSync(real, target, { recursive: true, filter: (path) => !otherPlatforms.test(path) && !/\/node_modules\/|\.(?:map|d\.[cm]?ts)$/.test(path.slice(real.length)) })
  const { dependencies = {}, optionalDependencies = {} } = JSON.parse(readFileSync(join(real, 'package.json'), 'utf8'))
  for (const dependency of Object.keys({ ...dependencies, ...optionalDependencies })) copyPackage(dependency, real.slice(0, -name.length))
}

function copyPackages(): void {
  for (const [owner, ...names] of [['core', '@huggingface/jinja', '@noble/hashes', 'sharp'], ['backend-webgpu', 'webgpu']]) {
    for (const name of names) copyPackage(name, join(root, 'packages', owner, 'node_modules'))
  }
  mkdirSync(join(app, 'node_modules', '@facetjs'), { recursive: true })
  for (const name of readdirSync(join(app, 'packages'))) symlinkSync(`../../packages/${name}`, join(app, 'node_modules', '@facetjs', name))
}

function copyBinaries(): void {
  const node = join(root, 'node_modules', 'node', 'bin', 'node')
  if (!existsSync(node)) throw new Error('There is no Node for Linux x64 in node_modules: run pnpm install on such a machine.')
  mkdirSync(join(app, 'bin'))
  mkdirSync(join(app, 'vulkan'))
  mkdirSync(join(outer, 'xz'))
  execFileSync('strip', ['-o', join(app, 'bin', 'node'), node])
  execFileSync('strip', [join(app, 'node_modules', 'webgpu', 'dist', 'linux-x64', 'dawn.node')])
  copyFileSync(findLibrary('libvulkan.so.1', 'libvulkan1'), join(app, 'vulkan', 'libvulkan.so.1'))
  // For machines without xz.
  copyFileSync(execFileSync('which', ['xz'], { encoding: 'utf8' }).trim(), join(outer, 'xz', 'xz'))
  copyFileSync(findLibrary('liblzma.so.5', 'liblzma5'), join(outer, 'xz', 'liblzma.so.5'))
}

function findLibrary(name: string, debian: string): string {
  const found = ['/usr/lib/x86_64-linux-gnu', '/lib/x86_64-linux-gnu', '/usr/lib64', '/usr/lib/chromium'].map((folder) => join(folder, name)).find((path) => existsSync(path))
  if (found === undefined) throw new Error(`This machine has no ${name} to take along. Install it (Debian: apt install ${debian}).`)
  return realpathSync(found)
}

const megabytes = (path: string): string => `${(statSync(path).size / 2 ** 20).toFixed(1)} MiB`

try {
  await build({ addon: true, ptx: true })
  mkdirSync(outer)
  mkdirSync(app)
  copySources()
  copyPackages()
  copyBinaries()
  copyFileSync(join(root, 'scripts', 'device-bundle', 'run.sh'), join(outer, 'run.sh'))
  copyFileSync(join(root, 'LICENSE'), join(outer, 'LICENSE'))
  const inner = join(outer, 'app.tar.xz')
  console.error('facet: compressing (a minute or two)')
  execFileSync('tar', ['-cf', inner, '-I', 'xz -6 -T2', '-C', app, '.'])
  execFileSync('tar', ['-czf', archive, '-C', work, 'facet-device'])
  console.log(`${archive}: ${megabytes(archive)}, Node ${process.version}; tar -xf it on the machine, then facet-device/run.sh`)
  if (statSync(archive).size > MOST_BYTES) throw new Error(`The archive is larger than ${MOST_BYTES / 2 ** 20} MiB. Leave something out of scripts/device-bundle.ts.`)
} finally {
  rmSync(work, { recursive: true, force: true })
}
