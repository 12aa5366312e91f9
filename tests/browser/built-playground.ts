/** The playground as it is published, on a local server, and a Chromium that opens it. */
import { execFile } from 'node:child_process'
import { delimiter, dirname, join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import { chromiumFlags, webGpuFlags } from '../../scripts/chromium.ts'
import { type AppServer, serveApp } from './app-server.ts'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../..', import.meta.url))

export interface PlaygroundSite {
  /** Sends no headers: the service worker does. */
  readonly server: AppServer
  /** In a context of its own: nothing is kept of others. */
  open(options?: OpenOptions): Promise<OpenPlayground>
  close(): Promise<void>
}

export interface OpenOptions extends BrowserContextOptions {
  /** After the origin. */
  readonly address?: string
}

export interface OpenPlayground {
  readonly page: Page
  readonly context: BrowserContext
  /** What the page said in its console as errors, and threw. */
  readonly errors: readonly string[]
  [Symbol.asyncDispose](): Promise<void>
}

export async function openPlaygroundSite(executablePath: string, { webGpu = false }: { readonly webGpu?: boolean } = {}): Promise<PlaygroundSite> {
  await build()
  const server = await serveApp(join(root, 'apps/playground/dist'), { isolated: false })
  const browser: Browser = await chromium.launch({ executablePath, headless: !webGpu, args: webGpu ? ['--headless=new', ...webGpuFlags] : [...chromiumFlags] })
  return {
    server,
    async open({ address = '/', ...options } = {}) {
      const context = await browser.newContext(options)
      context.setDefaultTimeout(15_000)
      await context.grantPermissions(['clipboard-read', 'clipboard-write'])
      const page = await context.newPage()
      const errors: string[] = []
      page.on('console', (message) => message.type() === 'error' && errors.push(message.text()))
      page.on('pageerror', (error) => errors.push(error.stack ?? error.message))
      await page.goto(`${server.origin}${address}`)
      return { page, context, errors, [Symbol.asyncDispose]: () => context.close() }
    },
    async close() {
      await browser.close()
      await server.close()
    },
  }
}

/** With what it is made of; what is built already is not built again. */
async function build(): Promise<void> {
  const bin = join(root, 'node_modules/.bin')
  const PATH = [bin, dirname(process.execPath), process.env['PATH']].join(delimiter)
  const env = { ...process.env, PATH, NODE_ENV: 'production', TURBO_TELEMETRY_DISABLED: '1' }
  await run(join(bin, 'turbo'), ['run', 'build', '--filter=@facetjs/playground', '--output-logs=errors-only'], { cwd: root, env, maxBuffer: 2 ** 26 }).catch((error: unknown) => {
    const output = error instanceof Error && 'stdout' in error ? String(error.stdout) : ''
    throw new Error(`The playground could not be built. Run \`turbo run build\` and mend what it says.\n${output}`, { cause: error })
  })
}
