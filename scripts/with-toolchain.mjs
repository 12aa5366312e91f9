// Runs a TypeScript file of this repository: with-toolchain.mjs FILE [ARG ...]
// First installs what is missing (pnpm through npx), then hands over to a Node that reads TypeScript:
// the pinned Node 24 of node_modules where there is one (Linux x64), else the machine's own if it is 24 or newer.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createHash } from 'node:crypto'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

const PNPM = 'pnpm@12.21.0'
const root = dirname(dirname(fileURLToPath(import.meta.url)))
const [script, ...args] = process.argv.slice(2)

const inputs = ['pnpm-lock.yaml', 'pnpm-workspace.yaml', 'package.json']
const stamp = createHash('sha256')
for (const name of inputs) stamp.update(readFileSync(join(root, name)))
const wanted = stamp.digest('hex')
const stampFile = join(root, 'node_modules', '.facet-install')
const installed = existsSync(stampFile) && readFileSync(stampFile, 'utf8') === wanted

if (!installed) {
  console.error(`facet: installing dependencies (${PNPM}, about 200 MB, once)`)
  const install = spawnSync('npx', ['-y', PNPM, 'install', '--frozen-lockfile', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32',
  })
  if (install.status !== 0) {
    console.error('facet: the installation failed; the lines above say why. It needs the npm registry.')
    process.exit(install.status ?? 1)
  }
  rmSync(join(root, 'node_modules', '.vitest-cache'), { recursive: true, force: true }) // it names packages where they were before
  writeFileSync(stampFile, wanted)
}

const pinned = join(root, 'node_modules', 'node', 'bin', 'node')
const major = Number(process.versions.node.split('.')[0])
const node = existsSync(pinned) ? pinned : major >= 24 ? process.execPath : undefined
if (node === undefined) {
  console.error(`facet: this repository needs Node 24 or newer on this platform; this is ${process.version}. Install it from nodejs.org and run the command again.`)
  process.exit(1)
}
const child = spawn(node, ['--conditions=@facetjs/source', join(root, script), ...args], {
  stdio: 'inherit',
  env: { ...process.env, PATH: `${dirname(node)}${process.platform === 'win32' ? ';' : ':'}${process.env.PATH}` },
})
process.on('SIGINT', () => {}) // a terminal sends it to both, and the child may have something to end
for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
child.on('exit', (status) => process.exit(status ?? 1))
