// Packs every package as npm would, judges the tarballs (publint, are-the-types-wrong), installs them into an empty project and runs
// the README's example there, in Node and through the `facet` command. Needs `pnpm build` first.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
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

try {
  const packed = packPackages(work)
  for (const { name, file, hasCommands } of packed) {
    console.log(`${name}: ${basename(file)}`)
    console.log(run(root, bin('publint'), 'run', '--strict', file).trim())
    if (!hasCommands) run(root, bin('attw'), '--profile', 'esm-only', file)
  }

  const project = join(work, 'project')
  mkdirSync(project)
  const dependencies = Object.fromEntries(packed.map(({ name }) => [name, '*']))
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
} finally {
  rmSync(work, { recursive: true, force: true })
}
