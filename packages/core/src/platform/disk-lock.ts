/** A lock between processes: a file that its holder touches as long as it lives. */
import { mkdir, open, readFile, rename, rm, stat, utimes } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname } from 'node:path'
import process from 'node:process'
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'

const touchEveryMs = 5_000
const lookEveryMs = 100
/**
 * A holder elsewhere (another machine, another container) that touched nothing for so many looks is dead: a minute. Counted, for no clock is to
 * be trusted: another machine may have written the file's time, and this one may have slept.
 */
const deadAfterLooks = 600
/** The same of a process of this machine that runs: it may be busy, or stopped. After ten minutes its number is somebody else's. */
const strangeAfterLooks = 6_000

/** When this process began, the same in all its threads. */
const startedAt = (): number => Math.round(performance.timeOrigin)

/** @returns what gives it free @throws `signal.reason` when aborted while waiting */
export async function lockFile(path: string, signal: AbortSignal | undefined, lookEvery: number = lookEveryMs): Promise<() => Promise<void>> {
  await mkdir(dirname(path), { recursive: true })
  const own = JSON.stringify({ pid: process.pid, host: hostname(), startedAt: startedAt(), id: randomUUID() })
  /** What was seen there, and how often it was the same. */
  let [seen, looks] = ['', 0]
  for (;;) {
    signal?.throwIfAborted()
    if (await create(path, own)) break
    const holder = await readFile(path, 'utf8').catch(() => undefined)
    const touched = await stat(path).catch(() => undefined)
    if (holder !== undefined && touched !== undefined) {
      const now = `${touched.mtimeMs} ${holder}`
      looks = now === seen ? looks + 1 : 0
      seen = now
      if (looks >= patienceWith(holder)) {
        await takeAway(path, holder)
        continue
      }
    }
    await sleep(lookEvery, undefined, signal && { signal }).catch(() => {}) // thrown above
  }
  const touching = setInterval(() => void utimes(path, new Date(), new Date()).catch(() => {}), touchEveryMs)
  touching.unref()
  return async () => {
    clearInterval(touching)
    if ((await readFile(path, 'utf8').catch(() => undefined)) === own) await rm(path, { force: true })
  }
}

async function create(path: string, content: string): Promise<boolean> {
  const file = await open(path, 'wx').catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && (error.code === 'EEXIST' || error.code === 'EPERM')) return undefined // EPERM: Windows, while it is being deleted
    throw error
  })
  if (file === undefined) return false
  try {
    await file.writeFile(content)
    await file.close()
    return true
  } catch (error) {
    await file.close().catch(() => {})
    await rm(path, { force: true }) // an empty one would hold up everybody
    throw error
  }
}

/** How often it may be seen untouched before it counts as dead. */
function patienceWith(holder: string): number {
  try {
    const { pid, host, startedAt: since }: { readonly pid: number; readonly host: string; readonly startedAt: number } = JSON.parse(holder)
    if (host !== hostname()) return deadAfterLooks
    if (pid === process.pid) return since === startedAt() ? Infinity : 0 // ours, or that of an earlier process of this number
    return isRunning(pid) ? strangeAfterLooks : 0
  } catch {
    return deadAfterLooks // it is being written
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return !(error instanceof Error && 'code' in error && error.code === 'ESRCH')
  }
}

/** Of several that see the same dead holder one succeeds; a new holder's lock that was caught instead is put back. */
async function takeAway(path: string, holder: string): Promise<void> {
  const aside = `${path}.${randomUUID()}`
  try {
    await rename(path, aside)
    if ((await readFile(aside, 'utf8')) === holder) await rm(aside, { force: true })
    else await rename(aside, path)
  } catch {
    // Somebody was faster.
  }
}
