// Packs every public package, checks the tarballs (publint, are-the-types-wrong), installs them into an empty project and runs
// the README's example there, in Node and through the `facet` command. Needs `pnpm build` first.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const bin = (name: string): string => join(root, 'node_modules', '.bin', name)
const PNPM = 'pnpm@12.21.0'
const work = mkdtempSync(join(tmpdir(), 'facet-pack-'))

function run(cwd: string, command: string, ...args: readonly string[]): string {
  return execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
}

/** The first ```ts block of the README: what a new user copies. */
function readmeExample(): string {
  const block = /```ts\n([\s\S]*?)```/.exec(readFileSync(join(root, 'README.md'), 'utf8'))?.[1]
  if (block === undefined) throw new Error('README.md has no ```ts example')
  return block
}

try {
  const dependencies: Record<string, string> = {}
  for (const folder of readdirSync(join(root, 'packages'))) {
    const packageFolder = join(root, 'packages', folder)
    const { name, bin: commands } = JSON.parse(readFileSync(join(packageFolder, 'package.json'), 'utf8'))
    run(packageFolder, 'npx', '-y', PNPM, 'pack', '--pack-destination', work)
    const file = readdirSync(work).find((entry) => entry.startsWith(`${name.slice(1).replace('/', '-')}-`) && entry.endsWith('.tgz'))
    if (file === undefined) throw new Error(`${name} was not packed`)
    dependencies[name] = `file:${join(work, file)}`
    console.log(`${name}: ${file}`)
    console.log(run(root, bin('publint'), 'run', '--strict', join(work, file)).trim())
    if (commands === undefined) run(root, bin('attw'), '--profile', 'esm-only', join(work, file))
  }

  const project = join(work, 'project')
  run(work, 'mkdir', project)
  // overrides: packages depend on each other's unpublished versions.
  writeFileSync(join(project, 'package.json'), JSON.stringify({ name: 'stranger', private: true, type: 'module', dependencies, overrides: dependencies }))
  run(project, 'npm', 'install', '--no-audit', '--no-fund', '--loglevel=error')
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
} finally {
  rmSync(work, { recursive: true, force: true })
}
