/** What must not take away a model that is here, mix versions of one, or end in an advice that does not help. */
import { appendFile, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { failure } from '../testing/failure.ts'
import type { FileStore } from './file-store.ts'
import { outOfStorage } from './hub-errors.ts'
import { commit, demoFiles, emptyFolder, fileName, mmprojName, model, partBytes, repository, serveHub, storeFor } from './hub.testing.ts'
import type { Fault } from './hub-server.testing.ts'

const files = await demoFiles()
const modelBytes = files.get(fileName) ?? new Uint8Array()
const totalBytes = modelBytes.length + (files.get(mmprojName)?.length ?? 0)
const otherCommit = 'f'.repeat(40)
const alone = { mmproj: false }

/** The same names, other bytes. */
const otherFiles = new Map([...files].map(([name, bytes]) => [name, bytes.map((byte) => byte ^ 1)] as const))

async function diskWith(change: (disk: FileStore) => Partial<FileStore>): Promise<FileStore> {
  const { openFileStore } = await import('#platform')
  const disk = await openFileStore(await emptyFolder())
  return { ...disk, ...change(disk) }
}

async function modelIn(folder: string, at = commit): Promise<Uint8Array> {
  return new Uint8Array(await readFile(join(folder, 'hf', repository, at, fileName)))
}

describe('a model that is here', () => {
  test('opens where nothing can be written', async () => {
    let isFull = false
    const hub = await serveHub()
    const store = await storeFor(hub, {
      files: await diskWith((disk) => ({
        write: async (path, bytes) => {
          if (isFull) throw outOfStorage(disk.name, { free: 0 })
          await disk.write(path, bytes)
        },
      })),
    })
    await store.download(model)
    isFull = true
    await store.download(model)
    expect(await (await store.open(model)).list?.()).toEqual([fileName, mmprojName])
  })

  test('opening it does not undo what another one did meanwhile', async () => {
    const hub = await serveHub()
    let meanwhile = async (): Promise<void> => {}
    const disk = await diskWith((own) => ({
      open: async (file) => {
        const source = await own.open(file)
        await meanwhile()
        return source
      },
    }))
    const [store, other] = [await storeFor(hub, { files: disk }), await storeFor(hub, { files: disk })]
    await store.download(model, alone)
    meanwhile = async () => {
      meanwhile = async () => {}
      await other.delete(model)
    }
    await store.open(model, alone).catch(() => {})
    expect((await failure(store.delete(model))).code).toBe('invalid-argument') // nothing is left of it
  })

  test('stays until a refresh has brought all of the next one', async () => {
    const folder = await emptyFolder()
    await (await storeFor(await serveHub(), { folder })).download(model)
    const next = await serveHub({ commit: otherCommit, files: otherFiles })
    const store = await storeFor(next, { folder })
    next.fault = ({ host }, nth) => (host === 'cdn' && nth > 3 ? { kind: 'status', status: 404 } : undefined)
    await failure(store.download(model, { refresh: true, parallel: 1 }))
    await store.download(model)
    expect((await store.open(model)).name).toBe(`hf:${repository}@${commit}`)
    next.fault = () => undefined
    await store.download(model, { refresh: true })
    expect((await store.open(model)).name).toBe(`hf:${repository}@${otherCommit}`)
    expect(await modelIn(folder, otherCommit)).toEqual(otherFiles.get(fileName))
  })

  test('of an https address: one whose refresh failed is not called complete', async () => {
    const hub = await serveHub()
    const store = await storeFor(hub)
    const address = `${hub.endpoint}/${repository}/resolve/${commit}/${fileName}`
    await store.download(address)
    hub.fault = ({ host, range }) => (host === 'cdn' && range !== 'bytes=0-0' ? { kind: 'status', status: 404 } : undefined)
    await failure(store.download(address, { refresh: true }))
    expect((await store.availability(address)).bytesMissing).toBe(modelBytes.length)
    expect(await store.list()).toEqual([])
    hub.fault = () => undefined
    await store.download(address)
    const source = await (await store.open(address)).open(fileName)
    expect(await source?.read(0, modelBytes.length)).toEqual(modelBytes)
    await source?.close()
  })

  test('is not waited for while somebody is asked whether it may stay', async () => {
    const store = await storeFor(await serveHub(), { files: await diskWith(() => ({ persist: () => new Promise(() => {}) })) })
    await store.download(model)
    expect(await store.size()).toBe(totalBytes)
  })

  test('is on the disk before it is called complete', async () => {
    const done: string[] = []
    const disk = await diskWith((own) => ({
      sync: async (file) => {
        await own.sync?.(file)
        done.push('sync')
      },
      write: async (path, bytes) => {
        await own.write(path, bytes)
        if (new TextDecoder().decode(bytes).includes('"isComplete":true')) done.push('complete')
      },
    }))
    await (await storeFor(await serveHub(), { files: disk })).download(model, alone)
    expect(done).toEqual(['sync', 'complete'])
  })
})

describe('what is here already', () => {
  test.each<[string, string, { readonly mmproj?: boolean }]>([
    ['its file', `hf:${repository}/${fileName}`, {}],
    ['its branch', `hf:${repository}@main`, {}],
    ['its commit', `hf:${repository}@${commit}`, {}],
    ['a file of its commit', `hf:${repository}@${commit}/${mmprojName}`, {}],
    ['its address, without the vision part', `hf:${repository}`, alone],
  ])('needs no network by %s', async (_, address, options) => {
    const hub = await serveHub()
    const store = await storeFor(hub)
    await store.download(`hf:${repository}`)
    const asked = hub.requests.length
    await store.download(address, options)
    const names = await (await store.open(address, options)).list?.()
    expect(names).toEqual(address.endsWith(mmprojName) ? [mmprojName] : options === alone ? [fileName] : [fileName, mmprojName])
    expect((await store.availability(address, options)).bytesMissing).toBe(0)
    expect(hub.requests.length).toBe(asked)
  })

  test('is no answer to what it does not say', async () => {
    const store = await storeFor(await serveHub({ revisions: ['main', 'v1'] }))
    await store.download(model, alone)
    for (const [address, options] of [[model, {}], [`hf:${repository}`, alone], [`hf:${repository}@v1/${fileName}`, alone], [`hf:${repository}/${mmprojName}`, alone]] as const) {
      expect((await failure(store.open(address, options))).message).toMatch(/Download it first/)
    }
  })

  test('is not fetched again for another commit that has the same file', async () => {
    const folder = await emptyFolder()
    await (await storeFor(await serveHub(), { folder })).download(model)
    const next = await serveHub({ commit: otherCommit, files: new Map([...files].map(([name, bytes]) => [name, name === mmprojName ? bytes.map((byte) => byte ^ 1) : bytes])) })
    const store = await storeFor(next, { folder })
    await store.download(model, { refresh: true })
    expect(next.sentBytes).toBe(totalBytes - modelBytes.length)
    expect(await modelIn(folder, otherCommit)).toEqual(modelBytes)
    expect((await store.verify(`hf:${repository}`)).every(({ state }) => state === 'sound')).toBe(true)
  })
})

describe('delete', () => {
  test('of a revision takes no other whose name begins so', async () => {
    const folder = await emptyFolder()
    for (const [revision, at] of [['v1', commit], ['v10', otherCommit]]) await (await storeFor(await serveHub({ commit: at, revisions: [revision] }), { folder })).download(`hf:${repository}@${revision}`, alone)
    const store = await storeFor(await serveHub(), { folder })
    expect((await store.verify(`hf:${repository}@v1`)).map((file) => file.model)).toEqual([`hf:${repository}@${commit}`])
    await store.delete(`hf:${repository}@v1`)
    expect((await store.list()).map((each) => each.model)).toEqual([`hf:${repository}@${otherCommit}`])
    await store.open(`hf:${repository}@v10`, alone)
  })

  test('of what was begun, though nothing of it came', async () => {
    const hub = await serveHub()
    const store = await storeFor(hub)
    hub.fault = ({ path }) => (path.startsWith('/api/') ? undefined : { kind: 'status', status: 404 })
    expect((await failure(store.download(model))).message).toMatch(/Delete the model from the store/)
    await store.delete(model)
    hub.fault = () => undefined
    await store.download(model)
    expect(hub.requests.filter(({ path }) => path.startsWith('/api/'))).toHaveLength(2) // asked anew
  })

  test('on a full disk, which has no room for a lock', async () => {
    let isFull = false
    const disk = await diskWith((own) => ({
      lock: async (name, signal) => {
        if (isFull) throw outOfStorage(own.name, { free: 0 })
        return await own.lock(name, signal)
      },
    }))
    const store = await storeFor(await serveHub(), { files: disk })
    await store.download(model)
    isFull = true
    expect((await failure(store.download(model, { refresh: true }))).code).toBe('out-of-storage')
    await store.delete(`hf:${repository}`)
    expect(await store.list()).toEqual([])
  })
})

test('a file that became longer is found by verify, and comes right by repair or download', async () => {
  const folder = await emptyFolder()
  const store = await storeFor(await serveHub(), { folder })
  await store.download(model, alone)
  const path = join(folder, 'hf', repository, commit, fileName)
  await appendFile(path, 'more')
  expect((await store.verify(model)).map(({ state }) => state)).toEqual(['damaged'])
  expect((await store.verify(model, { repair: true })).map(({ state }) => state)).toEqual(['repaired'])
  await store.open(model, alone)
  await appendFile(path, 'more')
  await store.download(model, alone)
  await store.open(model, alone)
  expect(await modelIn(folder)).toEqual(modelBytes)
})

describe('a server', () => {
  test.each<[string, Fault]>([
    ['breaks off behind each part', { kind: 'unended' }],
    ['sends more than was asked for', { kind: 'to-the-end' }],
    ['does not say how long the file is', { kind: 'total', total: '*' }],
  ])('that %s', async (_, fault) => {
    const hub = await serveHub()
    const folder = await emptyFolder()
    hub.fault = ({ host }) => (host === 'cdn' ? fault : undefined)
    await (await storeFor(hub, { folder })).download(model, alone)
    expect(await modelIn(folder)).toEqual(modelBytes)
  })

  test.each<[string, Fault]>([
    ['416', { kind: 'status', status: 416 }],
    ['416 with another size', { kind: 'status', status: 416, headers: { 'content-range': 'bytes */5' } }],
    ['another size', { kind: 'total', total: '5' }],
  ])('that says %s takes nothing away where a checksum is known', async (_, fault) => {
    const hub = await serveHub()
    const store = await storeFor(hub)
    hub.fault = ({ host }, nth) => (host === 'cdn' && nth > 3 ? fault : undefined)
    await failure(store.download(model, { ...alone, parallel: 1 }))
    expect((await store.availability(model, alone)).bytesMissing).toBe(modelBytes.length - 3 * partBytes)
  })

  test('a whole small file whose end was not seen is asked for again', async () => {
    const hub = await serveHub()
    const folder = await emptyFolder()
    hub.fault = ({ host }, nth) => (host === 'cdn' && nth < 3 ? { kind: 'unended' } : undefined)
    const told: number[] = []
    await (await storeFor(hub, { folder, partBytes: 2 ** 23 })).download(model, { ...alone, onProgress: ({ loaded }) => told.push(loaded) })
    expect(await modelIn(folder)).toEqual(modelBytes)
    expect(Math.max(...told)).toBe(modelBytes.length)
  })
})

test('when two files fail at once, nobody writes any more when that is told', async () => {
  let writing = 0
  const disk = await diskWith((own) => ({
    delete: async (path) => {
      writing++
      if (path.includes(mmprojName)) await new Promise((resolve) => setTimeout(resolve, 100))
      await own.delete(path)
      writing--
    },
  }))
  const store = await storeFor(await serveHub({ lies: [fileName, mmprojName] }), { files: disk })
  expect((await failure(store.download(model))).message).toMatch(/is not that file/)
  expect(writing).toBe(0)
})

test('the parts of an https file are of one version, also when all come at once', async () => {
  const hub = await serveHub()
  const store = await storeFor(hub)
  const address = `${hub.endpoint}/${repository}/resolve/${commit}/${fileName}`
  hub.fault = ({ host }, nth) => (host === 'cdn' && nth === 5 ? { kind: 'etag', etag: '"other"' } : undefined)
  expect((await failure(store.download(address, { parallel: 14 }))).message).toMatch(/changed on the server/)
  // For good: the next download asks what is there now.
  hub.fault = ({ host }) => (host === 'cdn' ? { kind: 'etag', etag: '"other"' } : undefined)
  await store.download(address, { parallel: 14 })
  await store.open(address)
})
