// Takes each of examples/ as a stranger gets it: installs it with our packages from their tarballs, builds and runs it. Node's output and,
// in Chromium, the pages must give the demo model's answer, and nothing may be asked of another host. Needs `pnpm build` first.
//   [NAME ...]   only these
import { type ChildProcess, spawn } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { type Browser, chromium } from 'playwright-core'
import { chromiumFlags, findChromium } from './chromium.ts'
import { freePort } from './free-port.ts'
import { installProject, packPackages, run } from './pack-packages.ts'

/** What HF transformers answers with the same model to the question that all examples begin with. */
const answer = 'The opposite of night is day.'
const maxLines = 60
const startTimeoutMs = 60_000
const answerTimeoutMs = 60_000

const examples = join(dirname(dirname(fileURLToPath(import.meta.url))), 'examples')
const work = mkdtempSync(join(tmpdir(), 'facet-examples-'))
Object.assign(process.env, { NEXT_TELEMETRY_DISABLED: '1', NO_UPDATE_CHECK: '1' }) // of Next and of serve: no calls home

/** Lines that its author wrote: not its manifest and its README. */
function countLines(folder: string): number {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile() && !['package.json', 'README.md'].includes(entry.name))
  return files.reduce((lines, { parentPath, name }) => lines + readFileSync(join(parentPath, name), 'utf8').trimEnd().split('\n').length, 0)
}

/** `npm run SCRIPT`, in a process group of its own: npm does not end what it has started. */
function startServer(folder: string, script: string, port: number): ChildProcess {
  const isVite = existsSync(join(folder, 'vite.config.js')) // which does not look at PORT
  const args = ['run', '--silent', script, ...(isVite ? ['--', '--strictPort', '--port', String(port)] : [])]
  return spawn('npm', args, { cwd: folder, env: { ...process.env, PORT: String(port) }, detached: true, stdio: ['ignore', 'ignore', 'inherit'] })
}

async function endServer(server: ChildProcess): Promise<void> {
  if (server.pid === undefined || server.exitCode !== null) return
  const ended = new Promise((resolve) => {
    server.once('close', resolve)
  })
  process.kill(-server.pid, 'SIGKILL')
  await ended
}

async function untilItAnswers(origin: string, server: ChildProcess): Promise<void> {
  const giveUpAt = performance.now() + startTimeoutMs
  while (performance.now() < giveUpAt && server.exitCode === null) {
    const response = await fetch(origin).catch(() => undefined)
    if (response?.ok) return
    await sleep(100)
  }
  throw new Error(server.exitCode === null ? `${origin} does not answer` : `the server ended with exit code ${server.exitCode}`)
}

/** @returns undefined without a Chromium: the sites are built then, but not opened. @throws Error in CI, where nothing is skipped */
async function launchBrowser(): Promise<Browser | undefined> {
  try {
    return await chromium.launch({ executablePath: await findChromium(), args: [...chromiumFlags] })
  } catch (error) {
    if (process.env['FACET_REQUIRE_CHROMIUM'] === '1') throw error
    console.warn(`The examples' pages are not opened: ${error instanceof Error ? error.message : String(error)}`)
    return undefined
  }
}

/** Asks what stands in the form, and waits for the answer. @throws Error with all that the page complained of */
async function checkPage(browser: Browser, origin: string): Promise<void> {
  const page = await browser.newPage()
  const complaints: string[] = []
  page.on('console', (message) => message.type() === 'error' && complaints.push(`console: ${message.text()}`))
  page.on('pageerror', (error) => complaints.push(`error: ${error.stack ?? error.message}`))
  page.on('request', (request) => /^(https?|wss?):/.test(request.url()) && new URL(request.url()).host !== new URL(origin).host && complaints.push(`another host: ${request.url()}`))
  try {
    await page.goto(origin)
    await page.click('button:text("Ask"):enabled', { timeout: answerTimeoutMs })
    await page.getByText(answer, { exact: true }).waitFor({ timeout: answerTimeoutMs })
    if (!(await page.evaluate('crossOriginIsolated'))) complaints.push('the page is not isolated from other origins: WASM has one thread')
  } catch (error) {
    complaints.push(error instanceof Error ? error.message : String(error), `the page shows: ${await page.innerText('body')}`)
  } finally {
    await page.close()
  }
  if (complaints.length > 0) throw new Error(complaints.join('\n'))
}

async function checkSite(browser: Browser, folder: string, script: string): Promise<void> {
  const port = await freePort()
  const origin = `http://localhost:${port}`
  const server = startServer(folder, script, port)
  try {
    await untilItAnswers(origin, server)
    await checkPage(browser, origin)
  } finally {
    await endServer(server)
  }
}

function checkOutput(folder: string): void {
  const output = run(folder, 'npm', 'start', '--silent')
  if (!output.includes(`${answer}\n`)) throw new Error(`it should have said: ${answer}\nbut it said: ${output}`)
}

const named = process.argv.slice(2)
const names = named.length > 0 ? named : readdirSync(examples, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []))
const browser = await launchBrowser()
let failed = 0
try {
  const packed = packPackages(work)
  for (const name of names) {
    const folder = join(work, name)
    const times: string[] = []
    const timed = async (step: string, action: () => void | Promise<void>): Promise<void> => {
      const start = performance.now()
      await action()
      times.push(`${step} ${((performance.now() - start) / 1000).toFixed(1)} s`)
    }
    try {
      const lines = countLines(join(examples, name))
      if (lines >= maxLines) throw new Error(`${lines} lines of its own: fewer than ${maxLines} is what these examples promise`)
      cpSync(join(examples, name), folder, { recursive: true, filter: (path) => !path.includes('node_modules') })
      const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
      const scripts: Readonly<Record<string, string>> = manifest.scripts
      await timed('install', () => installProject(folder, manifest, packed))
      if (scripts['build'] !== undefined) await timed('build', () => void run(folder, 'npm', 'run', '--silent', 'build'))
      if (name === 'node') await timed('start', () => checkOutput(folder))
      else if (browser !== undefined) {
        for (const script of ['start', 'dev']) if (scripts[script] !== undefined) await timed(script, () => checkSite(browser, folder, script))
      }
      console.log(`examples/${name}: ${lines} lines; ${times.join(', ')}`)
    } catch (error) {
      failed++
      console.error(`examples/${name} FAILED (${times.join(', ')}): ${error instanceof Error ? error.message : String(error)}`)
    }
    rmSync(folder, { recursive: true, force: true })
  }
} finally {
  await browser?.close()
  rmSync(work, { recursive: true, force: true })
}
process.exitCode = failed > 0 ? 1 : 0
