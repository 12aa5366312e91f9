import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { createRandom } from '../testing/random.ts'
import { commit, demoFiles, emptyFolder, fileName, mmprojName, model, repository, serveHub, storeFor } from './hub.testing.ts'
import type { HubServer } from './hub-server.testing.ts'

const partBytes = 32_768
const parallel = 4
const files = await demoFiles()
const totalBytes = [...files.values()].reduce((sum, { length }) => sum + length, 0)

function startDownload(hub: HubServer, folder: string): ReturnType<typeof spawn> {
  const script = fileURLToPath(new URL('interrupted.testing.ts', import.meta.url))
  const child = spawn(process.execPath, ['--conditions=@facetjs/source', script, hub.endpoint, folder, String(partBytes), model], { stdio: ['ignore', 'ignore', 'inherit'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  return child
}

test('killed 20 times at random points, it ends byte for byte the same; each time at most the parts in flight come again', { timeout: 240_000 }, async () => {
  const hub = await serveHub()
  const folder = await emptyFolder()
  const store = await storeFor(hub, { folder, partBytes })
  const present = async (): Promise<number> => totalBytes - (await store.availability(model)).bytesMissing
  hub.fault = ({ host }) => (host === 'cdn' ? { kind: 'slow', ms: 1 } : undefined)
  const random = createRandom(7)
  let [here, sent] = [0, 0]
  for (let kill = 0; kill < 20; kill++) {
    const child = startDownload(hub, folder)
    const until = hub.sentBytes + random.int(300_000)
    await expect.poll(() => hub.sentBytes > until || child.exitCode !== null, { timeout: 30_000, interval: 1 }).toBe(true)
    child.kill('SIGKILL')
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    await expect.poll(async () => { // the server's last writes
      const before = hub.sentBytes
      await new Promise((resolve) => setTimeout(resolve, 30))
      return hub.sentBytes === before
    }).toBe(true)
    const now = await present()
    expect(now).toBeGreaterThanOrEqual(here) // what was kept stays
    expect(hub.sentBytes - sent - (now - here)).toBeLessThanOrEqual(parallel * partBytes)
    here = now
    sent = hub.sentBytes
  }
  expect(here).toBeGreaterThan(totalBytes / 4)
  await store.download(model)
  expect(hub.sentBytes - sent).toBe(totalBytes - here)
  for (const name of [fileName, mmprojName]) expect((await readFile(join(folder, 'hf', repository, commit, name))).equals(files.get(name) ?? new Uint8Array())).toBe(true)
  expect(hub.requests.filter(({ path }) => path.startsWith('/api/'))).toHaveLength(1) // pinned by the first one
  expect(await readdir(join(folder, 'locks'))).toEqual([])
})

test('two processes at once download once', { timeout: 60_000 }, async () => {
  const hub = await serveHub()
  const folder = await emptyFolder()
  hub.fault = ({ host }) => (host === 'cdn' ? { kind: 'slow', ms: 2 } : undefined)
  const children = [startDownload(hub, folder), startDownload(hub, folder)]
  const codes = await Promise.all(children.map(async (child) => (await once(child, 'exit'))[0]))
  expect(codes).toEqual([0, 0])
  expect(hub.sentBytes).toBe(totalBytes)
})

test('locks of dead holders do not hold', async () => {
  const hub = await serveHub()
  const folder = await emptyFolder()
  const store = await storeFor(hub, { folder })
  await store.download(model)
  await store.delete(model)
  const lock = join(folder, 'locks', `hf--${repository.replace('/', '--')}`)
  const dead = spawn(process.execPath, ['-e', ''])
  await once(dead, 'exit')
  for (const holder of [
    { pid: dead.pid, host: hostname(), startedAt: 0 }, // killed
    { pid: process.pid, host: hostname(), startedAt: 0 }, // an earlier process of our number
  ]) {
    await writeFile(lock, JSON.stringify(holder))
    await store.download(model)
    await store.delete(model)
  }
})
