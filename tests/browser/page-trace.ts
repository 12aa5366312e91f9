/** Which thread of a page ran what, and for how long, from the events that Chromium's DevTools draw their timeline of. */
import type { Page } from 'playwright-core'

export interface ThreadTrace {
  readonly isPage: boolean
  /** Addresses of the scripts whose functions were seen at work. Only of a profile. */
  readonly scripts: ReadonlySet<string>
  /** Whether WebAssembly was among it. Only of a profile. */
  readonly hasWasm: boolean
}

export interface TaskTrace {
  /** From the beginning to the end of the task, with what others computed meanwhile. */
  readonly wallMs: number
  /** That this thread computed itself. */
  readonly cpuMs: number
}

export interface PageTrace {
  readonly threads: readonly ThreadTrace[]
  /** Of the page's own thread, after the first event of the type `after`; longest first. */
  readonly tasks: readonly TaskTrace[]
  /** By who did it: kinds of compiling and instantiating WebAssembly. */
  readonly wasmWork: { readonly page: ReadonlySet<string>; readonly others: ReadonlySet<string> }
}

export interface TraceOptions {
  /** Samples every thread's stack, which takes a multiple of the time. */
  readonly profile: boolean
  /** Tasks before the first DOM event of this type do not count: what the page did before. */
  readonly after: string
}

interface TraceEvent {
  readonly name: string
  readonly ph: string
  readonly pid: number
  readonly tid: number
  /** Microseconds, as the next two. */
  readonly ts: number
  readonly dur?: number
  readonly tdur?: number
  readonly id?: string
  readonly args: {
    readonly name?: string
    readonly data?: { readonly type?: string; readonly cpuProfile?: { readonly nodes?: readonly { readonly callFrame: { readonly url?: string; readonly codeType?: string } }[] } }
  }
}

const categories = ['-*', 'devtools.timeline', 'disabled-by-default-devtools.timeline', 'v8', 'v8.wasm']

/** Does `work` with the page's browser watched. */
export async function tracePage(page: Page, { profile, after }: TraceOptions, work: () => Promise<void>): Promise<PageTrace> {
  const browser = page.context().browser()
  if (browser === null) throw new Error('The page has no browser of its own to watch.')
  await browser.startTracing(page, { categories: profile ? [...categories, 'disabled-by-default-v8.cpu_profiler'] : categories })
  let json: Buffer
  try {
    await work()
  } finally {
    json = await browser.stopTracing()
  }
  const { traceEvents }: { traceEvents: TraceEvent[] } = JSON.parse(json.toString('utf8'))
  return readTrace(traceEvents, after)
}

function readTrace(events: readonly TraceEvent[], after: string): PageTrace {
  const begin = events.find(({ name, args }) => name === 'EventDispatch' && args.data?.type === after)
  if (begin === undefined) throw new Error(`The trace has no event of the type ${after}.`)
  const isOfPage = ({ pid, tid }: Pick<TraceEvent, 'pid' | 'tid'>): boolean => pid === begin.pid && tid === begin.tid
  const ofPage = events.filter(isOfPage)
  const tasks = ofPage.filter(({ name, ts, dur = 0 }) => name === 'RunTask' && ts + dur >= begin.ts).map(({ dur = 0, tdur = 0 }) => ({ wallMs: dur / 1000, cpuMs: tdur / 1000 }))
  return {
    threads: profiledThreads(events.filter(({ pid }) => pid === begin.pid), isOfPage),
    tasks: tasks.toSorted((one, other) => other.wallMs - one.wallMs),
    wasmWork: { page: wasmWork(ofPage), others: wasmWork(events.filter((event) => event.pid === begin.pid && !isOfPage(event))) },
  }
}

/** Not what each thread does to free what nobody needs. */
function wasmWork(events: readonly TraceEvent[]): ReadonlySet<string> {
  return new Set(events.flatMap(({ name }) => (/^wasm\..*(compil|instantiat|validat)/i.test(name) ? [name] : [])))
}

/** A profile begins on its thread; its chunks, which have its id, may be written by another. */
function profiledThreads(events: readonly TraceEvent[], isOfPage: (event: TraceEvent) => boolean): ThreadTrace[] {
  const chunks = Map.groupBy(events.filter(({ name }) => name === 'ProfileChunk'), ({ id }) => id)
  return events.filter(({ name }) => name === 'Profile').map((profile) => {
    const frames = (chunks.get(profile.id) ?? []).flatMap(({ args }) => args.data?.cpuProfile?.nodes ?? []).map(({ callFrame }) => callFrame)
    const isWasm = ({ url = '', codeType }: (typeof frames)[number]): boolean => codeType === 'wasm' || url.startsWith('wasm:')
    return { isPage: isOfPage(profile), scripts: new Set(frames.flatMap((frame) => (isWasm(frame) || frame.url === undefined || frame.url === '' ? [] : [frame.url]))), hasWasm: frames.some(isWasm) }
  })
}
