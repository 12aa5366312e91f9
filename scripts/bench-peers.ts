import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))

/** Installs what only the bench compares with (llama.cpp, wllama): a workspace of its own, so that nobody else waits for it. */
export function installPeers(): void {
  if (existsSync(join(root, 'bench', 'node_modules', 'autocannon'))) return
  console.error('facet: installing the engines to compare with, into bench/node_modules (about 200 MB, once)')
  const { status } = spawnSync(join(root, 'node_modules', '.bin', 'pnpm'), ['install', '--dir', join(root, 'bench'), '--frozen-lockfile', '--loglevel=error'], { stdio: ['ignore', 2, 2] })
  if (status !== 0) throw new Error('bench/ could not be installed: the lines above say why. It needs the npm registry.')
}
