import { spawn } from 'node:child_process'
import { readdir, readFile, utimes, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { describe, expect, onTestFinished, test } from 'vitest'
import { emptyFolder } from '../hub/hub.testing.ts'
import { lockFile } from './disk-lock.ts'

const otherHost = JSON.stringify({ pid: 1, host: 'elsewhere', startedAt: 0 })

/** Waits a hundred times less than a minute. */
const lockSoon = (path: string, signal?: AbortSignal): Promise<() => Promise<void>> => lockFile(path, signal, 1)

/** A process that does nothing, and is stopped with the test. */
function startSleeper(): number {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)'], { stdio: 'ignore' })
  onTestFinished(() => void child.kill('SIGKILL'))
  return child.pid ?? 0
}

async function lockWith(holder: string): Promise<string> {
  const path = join(await emptyFolder(), 'lock')
  await writeFile(path, holder)
  return path
}

describe('a lock', () => {
  test.each(['', otherHost])('that nobody touches while we wait is taken: %j', async (holder) => {
    const path = await lockWith(holder)
    const unlock = await lockSoon(path)
    await unlock()
    expect(await readdir(join(path, '..'))).toEqual([])
  })

  test('whose holder touches it is not taken, whatever its clock says', async () => {
    const path = await lockWith(otherHost)
    await utimes(path, new Date(0), new Date(0))
    let touches = 0
    const touching = setInterval(() => void utimes(path, new Date(0), new Date(++touches * 1000)), 20)
    const abort = new AbortController()
    const waiting = lockSoon(path, abort.signal)
    await expect.poll(() => touches, { timeout: 20_000 }).toBeGreaterThan(100)
    abort.abort(new Error('enough'))
    await expect(waiting).rejects.toThrow('enough')
    clearInterval(touching)
    expect(await readFile(path, 'utf8')).toBe(otherHost)
  })

  test('of a process of this machine that runs is not taken, though it was not touched for long', async () => {
    const holder = JSON.stringify({ pid: startSleeper(), host: hostname(), startedAt: 0 })
    const path = await lockWith(holder)
    await utimes(path, new Date(0), new Date(0))
    const abort = new AbortController()
    const waiting = lockSoon(path, abort.signal)
    setTimeout(() => abort.abort(new Error('enough')), 1500) // more than twice what one elsewhere gets
    await expect(waiting).rejects.toThrow('enough')
    expect(await readFile(path, 'utf8')).toBe(holder)
  })

  test('of our own process holds after the clock was set', async () => {
    const path = join(await emptyFolder(), 'lock')
    const unlock = await lockSoon(path)
    const { now } = Date
    onTestFinished(() => void (Date.now = now))
    Date.now = () => now() + 3_600_000
    const abort = new AbortController()
    const waiting = lockSoon(path, abort.signal)
    setTimeout(() => abort.abort(new Error('enough')), 100)
    await expect(waiting).rejects.toThrow('enough')
    await unlock()
    await (await lockSoon(path))()
  })

  test.skipIf(process.platform === 'win32')('that could not be written leaves nothing behind', async () => {
    const path = join(await emptyFolder(), 'lock')
    const script = `import { lockFile } from ${JSON.stringify(fileURLToPath(new URL('disk-lock.ts', import.meta.url)))}; await lockFile(${JSON.stringify(path)}).catch(({ code }) => console.log(code))`
    const child = spawn('sh', ['-c', 'ulimit -f 0; exec "$0" --input-type=module -e "$1"', process.execPath, script], { stdio: ['ignore', 'pipe', 'inherit'] })
    const told = await text(child.stdout)
    expect(told.trim()).toBe('EFBIG') // the limit on a file's size stands for a full disk
    expect(await readdir(join(path, '..'))).toEqual([])
  })
})
