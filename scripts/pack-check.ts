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

/** In a project where everything is installed: what CUDA says without a driver; and its answer on the emulated one. */
function checkCuda(project: string): void {
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

  writeFileSync(join(project, 'cuda.mjs'), `${readmeExample().replaceAll('wasm', 'cuda').replace('await using', 'try {\nawait using')}} catch ({ code, message }) { console.log(code, message) }`)
  const cuda = (driver: string): string => run(project, 'env', `FACET_CUDA_DRIVER=${driver}`, process.execPath, 'cuda.mjs').trim()
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
  const manifest = { name: 'stranger', private: true, type: 'module', dependencies }
  installProject(project, manifest, packed)
  writeFileSync(join(project, 'example.mjs'), readmeExample())
  const answer = run(project, process.execPath, 'example.mjs')
  console.log(`README example: ${answer.trim()}`)
  if (!/shapes/.test(answer)) throw new Error('the README example should talk about shapes')
  const spoken = run(project, process.execPath, 'node_modules/@facetjs/cli/dist/bin.js', 'run', '--quiet', 'What is the opposite of night?')
  console.log(`facet run: ${spoken.trim()}`)
  if (!/day/.test(spoken)) throw new Error('the opposite of night should be day')
  const seen = run(project, process.execPath, 'node_modules/@facetjs/cli/dist/bin.js', 'run', '--quiet', '--image', 'node_modules/@facetjs/demo-model/pictures/shapes.png', 'Describe the image.')
  console.log(`facet run --image: ${seen.trim()}`)
  if (!/white circle/.test(seen)) throw new Error('there should be a white circle in the picture')
  checkCuda(project)
} finally {
  rmSync(work, { recursive: true, force: true })
}
