/** A lock between processes: a file that its holder touches as long as it lives. */
import { mkdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname } from 'node:path'
import process from 'node:process'
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'

const touchEveryMs = 5_000
/** A holder elsewhere (another machine, another container) that was not seen for so long is dead. */
const deadAfterMs = 60_000
const lookEveryMs = 100

/** @returns what gives it free @throws `signal.reason` when aborted while waiting */
export async function lockFile(path: string, signal: AbortSignal | undefined): Promise<() => Promise<void>> {
  await mkdir(dirname(path), { recursive: true })
  const own = JSON.stringify({ pid: process.pid, host: hostname(), startedAt: startedAt(), id: randomUUID() })
  for (;;) {
    signal?.throwIfAborted()
    if (await create(path, own)) break
    const holder = await readFile(path, 'utf8').catch(() => undefined)
    if (holder !== undefined && (await isDead(path, holder))) await takeAway(path, holder)
    else await sleep(lookEveryMs, undefined, signal && { signal }).catch(() => {}) // thrown above
  }
  const touching = setInterval(() => void utimes(path, new Date(), new Date()).catch(() => {}), touchEveryMs)
  touching.unref()
  return async () => {
    clearInterval(touching)
    if ((await readFile(path, 'utf8').catch(() => undefined)) === own) await rm(path, { force: true })
  }
}

async function create(path: string, content: string): Promise<boolean> {
  try {
    await writeFile(path, content, { flag: 'wx' })
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'EEXIST' || error.code === 'EPERM')) return false // EPERM: Windows, while it is being deleted
    throw error
  }
}

async function isDead(path: string, holder: string): Promise<boolean> {
  const touched = await stat(path).catch(() => undefined)
  if (touched === undefined) return false
  if (Date.now() - touched.mtimeMs > deadAfterMs) return true
  try {
    const { pid, host, startedAt: since }: { readonly pid: number; readonly host: string; readonly startedAt: number } = JSON.parse(holder)
    if (host !== hostname()) return false
    if (pid === process.pid) return Math.abs(since - startedAt()) > 2_000 // ours, or that of an earlier process of this number
    return !isRunning(pid)
  } catch {
    return false // it is being written
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

function startedAt(): number {
  return Math.round(Date.now() - 1000 * process.uptime())
}
