import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))

/** Installs transformers.js for the tests that ask it: a workspace of its own. @throws Error where the npm registry is not to be had */
export function installOracle(): void {
  const folder = join(root, 'tests', 'transformers-js')
  if (existsSync(join(folder, 'node_modules', '@huggingface', 'transformers'))) return
  console.error('facet: installing transformers.js to compare with, into tests/transformers-js/node_modules (38 MB, once)')
  const { status } = spawnSync(join(root, 'node_modules', '.bin', 'pnpm'), ['install', '--dir', folder, '--frozen-lockfile', '--loglevel=error'], { stdio: ['ignore', 2, 2] })
  if (status !== 0) throw new Error('tests/transformers-js could not be installed: the lines above say why. It needs the npm registry.')
}
