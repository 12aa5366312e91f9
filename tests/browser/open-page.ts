import type { Browser, Page } from 'playwright-core'

/** Pages' modules by the folder `pages/`. */
type Modules = {
  readonly 'main-thread': typeof import('./pages/main-thread.ts')
  readonly 'page-of-worker': typeof import('./pages/page-of-worker.ts')
  readonly conformance: typeof import('./pages/conformance.ts')
  readonly images: typeof import('./pages/images.ts')
  readonly webgpu: typeof import('./pages/webgpu.ts')
}

type Call<F> = F extends (argument: infer Argument) => Promise<infer Result> ? { readonly argument: Argument; readonly result: Result } : never

export interface OpenPage {
  readonly page: Page
  /** Calls a function of a page's module, there. Argument and result are plain data. */
  call<M extends keyof Modules, F extends keyof Modules[M] & string>(module: M, name: F, argument: Call<Modules[M][F]>['argument']): Promise<Call<Modules[M][F]>['result']>
  [Symbol.asyncDispose](): Promise<void>
}

/** The empty page of a local server in a tab of its own. What it logs as an error is printed. */
export async function openPage(browser: Browser, origin: string): Promise<OpenPage> {
  const page = await browser.newPage()
  page.on('console', (message) => message.type() === 'error' && console.error(`page: ${message.text()}`))
  page.on('pageerror', (error) => console.error(`page: ${error.stack ?? error.message}`))
  await page.goto(`${origin}/`)
  return {
    page,
    // text, not a function: the test runner rewrites the import() of functions
    call: (module, name, argument) => page.evaluate(`import('/tests/browser/pages/${module}.ts').then((exports) => exports.${name}(${JSON.stringify(argument)}))`),
    [Symbol.asyncDispose]: () => page.close(),
  }
}
