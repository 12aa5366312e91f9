// `npm test`: every check of the repository, one after another; goes on after a failure and ends with the totals.
//   --ci   the real Gemma 3 270M, Chromium and lavapipe must be there; else their tests are skipped, with the reason printed
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { prebuild } from '../packages/backend-cuda/native/prebuild.ts'
import { installPeers } from './bench-peers.ts'
import { findClang } from './clang.ts'
import { installOracle } from './install-oracle.ts'
import { findLavapipe } from './lavapipe.ts'
import { fetchModel } from './model-fetch.ts'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const isCi = process.argv.includes('--ci')
const env = { ...process.env, TURBO_TELEMETRY_DISABLED: '1', ...(isCi && { FACET_REQUIRE_CHROMIUM: '1', FACET_REQUIRE_PTXAS: '1' }), PATH: `${join(root, 'node_modules', '.bin')}:${process.env['PATH']}` }

let passed = 0
let failed = 0
const notes: string[] = []

/** Runs a command as one check. */
function check(name: string, command: string, ...args: readonly string[]): void {
  console.log(`\n— ${name}: ${command} ${args.join(' ')}`)
  const start = performance.now()
  const { status, error } = spawnSync(command, args, { cwd: root, env, stdio: 'inherit' })
  const seconds = ((performance.now() - start) / 1000).toFixed(1)
  if (status === 0) passed++
  else failed++
  console.log(`— ${name} ${status === 0 ? 'passed' : `FAILED (${error?.message ?? `exit ${status}`})`} in ${seconds} s`)
}

/** The same while something else runs: what it prints comes when it has ended. */
async function checkBeside(name: string, command: string, ...args: readonly string[]): Promise<void> {
  const start = performance.now()
  const child = spawn(command, args, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] })
  const printed: Buffer[] = []
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => void printed.push(chunk))
  const status = await ended(child)
  if (status === 0) passed++
  else failed++
  const seconds = ((performance.now() - start) / 1000).toFixed(1)
  console.log(`\n— ${name}: ${command} ${args.join(' ')}\n${Buffer.concat(printed).toString().trimEnd()}\n— ${name} ${status === 0 ? 'passed' : `FAILED (${String(status)})`} in ${seconds} s, beside others`)
}

/** The exit status, or why there is none. */
function ended(child: ChildProcess): Promise<number | string> {
  return new Promise((resolve) => {
    child.on('error', (error) => resolve(error.message))
    child.on('close', (code, signal) => resolve(code ?? String(signal)))
  })
}

interface VitestReport {
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly numPendingTests: number
  readonly numTotalTests: number
  readonly numFailedTestSuites: number
}

/** Runs all vitest tests and adds their counts. */
async function runTests(): Promise<void> {
  const reportFile = join(mkdtempSync(join(tmpdir(), 'facet-test-')), 'report.json')
  console.log('\n— tests: vitest run')
  const status = await ended(spawn('vitest', ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${reportFile}`], { cwd: root, env, stdio: 'inherit' }))
  try {
    const report: VitestReport = JSON.parse(readFileSync(reportFile, 'utf8'))
    passed += report.numPassedTests
    failed += report.numFailedTests
    const ran = report.numPassedTests + report.numFailedTests
    if (report.numPendingTests > 0) notes.push(`${report.numPendingTests} tests skipped: their reasons are in the names above`)
    if (status !== 0 && report.numFailedTests === 0) failed++ // a file that could not even be loaded
    if (ran === 0) failed++
  } catch (error) {
    console.error(`vitest left no report: ${String(error)}`)
    failed++
  }
}

/** What some tests need. Elsewhere than in CI they are skipped without it. */
async function want(name: string, find: () => Promise<string>): Promise<void> {
  console.log(`\n— ${name}`)
  try {
    console.log(`found at ${await find()}`)
  } catch (error) {
    console.log(`not available: ${error instanceof Error ? error.message : String(error)}`)
    if (isCi) failed++
    else notes.push(`tests on ${name} are skipped: it is not available (see above)`)
  }
}

installPeers() // their types
installOracle()
check('types', 'turbo', 'run', 'typecheck', '--output-logs=errors-only')
check('types of the scripts', 'tsc', '-p', 'scripts/tsconfig.json')
check('types of the browser tests', 'tsc', '-p', 'tests/browser/tsconfig.json')
check('types of the tests of the CLI', 'tsc', '-p', 'tests/cli/tsconfig.json')
check('types of the tests of the same session', 'tsc', '-p', 'tests/same-session/tsconfig.json')
check('types of the tests beside transformers.js', 'tsc', '-p', 'tests/transformers-js/tsconfig.json')
check('types of the bench', 'tsc', '-p', 'bench/tsconfig.json')
check('boundaries between packages', 'turbo', 'boundaries')

await want('the real Gemma 3 270M', fetchModel)
await want('lavapipe', findLavapipe)
await want('clang 19', findClang)
await want("the CUDA backend's addon as a release has it", () => prebuild('linux-x64'))

check('build', 'turbo', 'run', 'build', '--output-logs=errors-only') // first: browser tests that find nothing to build do not build beside each other
const beside = async (): Promise<void> => {
  await checkBeside('lint', 'oxlint', '--deny-warnings')
  await checkBeside('WASM kernels are what their sources give', process.execPath, 'packages/backend-wasm/native/build.ts', '--check')
  await checkBeside('CUDA kernels are what NVIDIA GPUs can run', process.execPath, '--conditions=@facetjs/source', 'packages/backend-cuda/native/ptxas.ts')
}
await Promise.all([runTests(), beside()])
check('what a page loads', process.execPath, '--conditions=@facetjs/source', 'scripts/page-size.ts')
check('packages as users get them', process.execPath, '--conditions=@facetjs/source', 'scripts/pack-check.ts')
check('examples as users get them', process.execPath, '--conditions=@facetjs/source', 'scripts/examples-check.ts')

for (const note of notes) console.log(`note: ${note}`)
console.log(`\n${passed} passed, ${failed} failed`)
process.exitCode = failed > 0 ? 1 : 0
