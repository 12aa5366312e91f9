import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { setTimeout } from 'node:timers/promises'

/** How long a folder without a name in it is believed to be about to get one. */
const UNNAMED_MS = 5000
const POLL_MS = 100

/** Runs `work` while no other process runs one under the same folder. A lock whose process is gone is taken away. */
export async function withLock<T>(folder: string, work: () => Promise<T>): Promise<T> {
  while (!(await take(folder))) {
    if (await isAbandoned(folder)) await rm(folder, { recursive: true, force: true })
    else await setTimeout(POLL_MS)
  }
  try {
    return await work()
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function take(folder: string): Promise<boolean> {
  try {
    await mkdir(folder)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false
    throw error
  }
  await writeFile(join(folder, 'pid'), String(process.pid))
  return true
}

async function isAbandoned(folder: string): Promise<boolean> {
  const pid = await readFile(join(folder, 'pid'), 'utf8').then(Number, () => 0)
  if (pid === 0) return await stat(folder).then(({ mtimeMs }) => Date.now() - mtimeMs > UNNAMED_MS, () => false)
  try {
    process.kill(pid, 0)
    return false
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'ESRCH'
  }
}
