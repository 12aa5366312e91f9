/** The built packages on two local servers, and a Chromium that opens their pages. */
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { type Browser, chromium } from 'playwright-core'
import { chromiumFlags, findChromium, webGpuFlags } from '../../scripts/chromium.ts'
import { ensureBuilt } from './built-packages.ts'
import { createImportMap } from './import-map.ts'
import { type OpenPage, openPage } from './open-page.ts'
import type { LocalServer } from './local-server.ts'
import { serveFolder } from './static-server.ts'

/** Isolated pages have SharedArrayBuffer. */
export type PageKind = 'isolated' | 'ordinary'

export interface Site {
  open(kind: PageKind): Promise<OpenPage>
  /** An ordinary page of a host without https, which is no secure context. */
  openInsecure(): Promise<OpenPage>
  close(): Promise<void>
}

export interface SiteOptions {
  /** Folders in `packages/` that pages import, beside core and the demo model. */
  readonly backends: readonly string[]
  /** On SwiftShader. Default: Chromium has no GPU at all. */
  readonly webGpu?: boolean
}

const root = fileURLToPath(new URL('../..', import.meta.url))
const libraries = ['packages/core/node_modules/@huggingface/jinja', 'packages/core/node_modules/@noble/hashes']
const served = ['packages/demo-model/model', 'packages/demo-model/pictures', 'packages/core/fixtures/demo', `${libraries[0]}/dist`, libraries[1], 'tests/browser/pages']
const insecureHost = 'facet.test'

/** Chromium's path, or why these tests are to be skipped, which is printed. @throws Error in CI, where nothing is skipped */
export async function chromiumOrReason(what: string): Promise<string | Error> {
  try {
    return await findChromium()
  } catch (error) {
    if (process.env['FACET_REQUIRE_CHROMIUM'] === '1') throw error
    const reason = error instanceof Error ? error : new Error(String(error))
    console.warn(`${what} are skipped: ${reason.message}`)
    return reason
  }
}

export async function openSite(executablePath: string, { backends, webGpu = false }: SiteOptions): Promise<Site> {
  const built = ['core', 'demo-model', ...backends]
  await ensureBuilt(root, built)
  const importMap = await createImportMap(root, [...built.map((name) => `packages/${name}`), ...libraries])
  const folders = [...built.map((name) => `packages/${name}/dist`), ...served]
  const serve = (isolated: boolean): Promise<LocalServer> => serveFolder({ root, folders, importMap, isolated })
  const servers: Readonly<Record<PageKind, LocalServer>> = { isolated: await serve(true), ordinary: await serve(false) }
  const browser = await launch(executablePath, webGpu)
  return {
    open: (kind) => openPage(browser, servers[kind].origin),
    openInsecure: () => openPage(browser, servers.ordinary.origin.replace('127.0.0.1', insecureHost)),
    async close() {
      await browser.close()
      await Promise.all(Object.values(servers).map((server) => server.close()))
    },
  }
}

function launch(executablePath: string, webGpu: boolean): Promise<Browser> {
  const args = [...(webGpu ? ['--headless=new', ...webGpuFlags] : chromiumFlags), `--host-resolver-rules=MAP ${insecureHost} 127.0.0.1`]
  // `headless: false` with the new headless mode: playwright's own switches Vulkan off.
  return chromium.launch({ executablePath, headless: !webGpu, args })
}
