import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { GemmaError } from '../errors.ts'
import { failure } from '../testing/failure.ts'
import { commit, demoFiles, emptyFolder, fileName, mmprojName, model, partBytes, repository, serveHub, storeFor } from './hub.testing.ts'
import type { HubServer } from './hub-server.testing.ts'

const files = await demoFiles()
const modelBytes = files.get(fileName) ?? new Uint8Array()
const mmprojBytes = files.get(mmprojName) ?? new Uint8Array()
const totalBytes = modelBytes.length + mmprojBytes.length
const stored = (folder: string, name: string): string => join(folder, 'hf', repository, commit, name)

async function expectWhole(folder: string): Promise<void> {
  expect((await readFile(stored(folder, fileName))).equals(modelBytes)).toBe(true)
  expect((await readFile(stored(folder, mmprojName))).equals(mmprojBytes)).toBe(true)
}

/** Of the CDN, in the order of the requests. */
function ranges(hub: HubServer, name = fileName): readonly (string | undefined)[] {
  return hub.requests.filter(({ host, path }) => host === 'cdn' && path === `/${name}`).map(({ range }) => range)
}

describe('download', () => {
  test('every byte once, in parts, and nothing asked for again', async () => {
    const hub = await serveHub()
    const folder = await emptyFolder()
    const store = await storeFor(hub, { folder })
    const told: number[] = []
    await store.download(model, { onProgress: ({ loaded, total }) => told.push(loaded / total) })
    await expectWhole(folder)
    expect(hub.sentBytes).toBe(totalBytes)
    expect(new Set(ranges(hub)).size).toBe(Math.ceil(modelBytes.length / partBytes))
    expect(told[0]).toBe(0)
    expect(told.at(-1)).toBe(1)
    // One question about the repository; all files at the commit that was the answer.
    const [first, ...rest] = hub.requests.filter(({ host }) => host === 'hub')
    expect(first.path).toBe(`/api/models/${repository}/revision/main`)
    expect(rest.every(({ path }) => path.startsWith(`/${repository}/resolve/${commit}/`))).toBe(true)

    const asked = hub.requests.length
    await store.download(model)
    await (await storeFor(hub, { folder })).download(model)
    const found = await store.open(model)
    expect(await found.list?.()).toEqual([fileName, mmprojName])
    const source = await found.open(fileName)
    expect(await source?.read(1000, 10)).toEqual(modelBytes.slice(1000, 1010))
    await source?.close()
    expect(hub.requests.length).toBe(asked)
  })

  test('the token goes to the hub, and not to where it sends on', async () => {
    const hub = await serveHub({ token: 'hf_secret' })
    await (await storeFor(hub)).download(model, { token: 'hf_secret' })
    expect(hub.requests.filter(({ host }) => host === 'hub').every(({ authorization }) => authorization === 'Bearer hf_secret')).toBe(true)
    expect(hub.requests.some(({ host }) => host === 'cdn')).toBe(true)
    expect(hub.requests.filter(({ host }) => host === 'cdn').every(({ authorization }) => authorization === undefined)).toBe(true)
  })

  test('a gated repository: what to do is in the error', async () => {
    const hub = await serveHub({ token: 'hf_secret', licence: 'gemma' })
    const store = await storeFor(hub)
    const error = await failure(store.download(model))
    expect(error.code).toBe('download-failed')
    expect(error.message).toContain(`Accept the licence at https://huggingface.co/${repository}, then pass \`token\``)
    expect(error.details).toMatchObject({ status: 401, licenceUrl: `https://huggingface.co/${repository}` })
    expect((await failure(store.download(model, { token: 'hf_other' }))).message).toContain('check that the token may read gated repositories')
    expect(await store.availability(model)).toMatchObject({ isGated: true, licence: 'gemma', licenceUrl: `https://huggingface.co/${repository}` })
    expect((await failure(store.download(model, { token: 'two\nlines' }))).code).toBe('invalid-argument')
  })

  test('absent repositories, revisions and files', async () => {
    const store = await storeFor(await serveHub())
    expect((await failure(store.download('hf:facet/other'))).message).toMatch(/no such repository, or it is private/)
    expect((await failure(store.download(`hf:${repository}@v9`))).message).toMatch(/no revision "v9"/)
    const { message } = await failure(store.download(`hf:${repository}/demo.gguf`))
    expect(message).toContain(`has no demo.gguf. There is: ${fileName}, ${mmprojName}.`)
  })

  test('503, 429, cut, silent and stalled connections are tried again, on from where they broke', async () => {
    const hub = await serveHub()
    const folder = await emptyFolder()
    let faults = 0
    hub.fault = ({ host }, nth) => {
      if (host === 'hub') return nth === 2 ? { kind: 'status', status: 503 } : undefined
      faults++
      if (nth === 2) return { kind: 'status', status: 429, headers: { 'retry-after': '0' } }
      if (nth === 3) return { kind: 'cut', after: 100_000 }
      if (nth === 4) return { kind: 'silent' }
      if (nth === 5) return { kind: 'stall', after: 50_000 }
      if (nth === 6) return { kind: 'status', status: 403 } // an expired link
      faults--
      return undefined
    }
    const store = await storeFor(hub, { folder })
    await store.download(model, { parallel: 1 })
    await expectWhole(folder)
    expect(faults).toBe(10)
    expect(hub.sentBytes).toBe(totalBytes)
    // After the cut: from the byte where it broke.
    expect(ranges(hub)[3]).toMatch(new RegExp(`^bytes=${partBytes + 100_000}-`))
  })

  test('as long as bytes come, failures do not add up; a server that is dead is given up', async () => {
    const hub = await serveHub()
    const folder = await emptyFolder()
    hub.fault = ({ host }) => (host === 'cdn' ? { kind: 'cut', after: 70_000 } : undefined)
    const store = await storeFor(hub, { folder, partBytes: 2 ** 21 })
    await store.download(model)
    await expectWhole(folder)
    hub.fault = () => ({ kind: 'status', status: 500 })
    const error = await failure(store.download(model, { refresh: true }))
    expect([error.code, error.message]).toEqual(['download-failed', expect.stringMatching(/answered 500 .*tried 6 times/)])
  })

  test('Retry-After is honoured, and what asks for too much patience is given up', async () => {
    const hub = await serveHub()
    const store = await storeFor(hub)
    let begun = 0
    hub.fault = ({ host }, nth) => {
      if (host !== 'hub' || nth > 1) return undefined
      begun = performance.now()
      return { kind: 'status', status: 429, headers: { ratelimit: '"api";r=0;t=1' } }
    }
    await store.availability(model)
    expect(performance.now() - begun).toBeGreaterThan(990) // a lower bound: it waited
    hub.fault = () => ({ kind: 'status', status: 503, headers: { 'retry-after': '3600' } })
    expect((await failure(store.download(`hf:${repository}`))).message).toMatch(/asks to wait for 60 minutes/)
  })

  test('wrong bytes are found, removed, and come right the next time', async () => {
    const hub = await serveHub()
    const folder = await emptyFolder()
    const store = await storeFor(hub, { folder })
    hub.fault = ({ host, path }, nth) => (host === 'cdn' && path === `/${fileName}` && nth === 3 ? { kind: 'wrong' } : undefined)
    const error = await failure(store.download(model))
    expect(error.message).toMatch(/is not that file.*was removed/)
    expect((await failure(store.open(model))).code).toBe('invalid-argument')
    await store.download(model)
    await expectWhole(folder)
    expect(ranges(hub, mmprojName).length).toBe(Math.ceil(mmprojBytes.length / partBytes)) // the sound file was kept
  })

  test('a server without ranges is said so; small files come without', async () => {
    const hub = await serveHub()
    hub.fault = ({ host }) => (host === 'cdn' ? { kind: 'no-ranges' } : undefined)
    const store = await storeFor(hub)
    expect((await failure(store.download(model))).message).toMatch(/ignores Range requests/)
    const folder = await emptyFolder()
    await (await storeFor(hub, { folder, partBytes: 2 ** 23 })).download(model)
    await expectWhole(folder)
  })

  test('aborting keeps what came; the reason is thrown; nothing goes on', async () => {
    const hub = await serveHub()
    const folder = await emptyFolder()
    const store = await storeFor(hub, { folder })
    hub.fault = ({ host }) => (host === 'cdn' ? { kind: 'slow', ms: 5 } : undefined)
    const abort = new AbortController()
    const reason = new GemmaError('aborted', 'Enough.')
    const stopped = store.download(model, { signal: abort.signal, onProgress: ({ loaded }) => loaded > 600_000 && abort.abort(reason) })
    await expect(stopped).rejects.toBe(reason)
    const asked = hub.requests.length
    const { bytesMissing, files: there } = await store.availability(model)
    expect(bytesMissing).toBeLessThan(totalBytes - 4 * partBytes + partBytes)
    expect(there[0].state).toBe('partial')
    await expect(store.open(model)).rejects.toMatchObject({ code: 'invalid-argument' })
    expect(hub.requests.length).toBe(asked) // nor does availability ask about what was begun
    hub.fault = () => undefined
    const before = hub.sentBytes
    await store.download(model)
    await expectWhole(folder)
    expect(hub.sentBytes - before).toBe(bytesMissing)
    await expect(store.download(model, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
  })

  test('what onProgress throws ends it, and is no reason to try again', async () => {
    const hub = await serveHub()
    const store = await storeFor(hub)
    const mine = new Error('mine')
    await expect(store.download(model, { onProgress: ({ loaded }) => { if (loaded > 0) throw mine } })).rejects.toBe(mine)
  })

  test('a full disk is said before anything is fetched', async () => {
    const hub = await serveHub()
    const { openFileStore } = await import('#platform')
    const disk = await openFileStore(await emptyFolder())
    const store = await storeFor(hub, { files: { ...disk, freeBytes: async () => 1_000_000 } })
    const error = await failure(store.download(model))
    expect([error.code, error.details]).toEqual(['out-of-storage', { needed: totalBytes, free: 1_000_000 }])
    expect(hub.sentBytes).toBe(0)
    expect(await store.availability(model)).toMatchObject({ bytes: totalBytes, bytesMissing: totalBytes, quota: { free: 1_000_000 } })
  })

  test('a store where there is none, or where something else lies', async () => {
    const hub = await serveHub()
    const folder = await emptyFolder()
    await writeFile(join(folder, 'file'), '')
    const error = await failure((await storeFor(hub, { folder: join(folder, 'file') })).download(model))
    expect([error.code, error.message]).toEqual(['invalid-argument', expect.stringMatching(/cannot be written \((EEXIST|ENOTDIR)\).*FACET_HOME/)])
    await mkdir(join(folder, 'hf', repository, commit, '.facet', `${fileName}.json`), { recursive: true })
    expect((await failure((await storeFor(hub, { folder })).download(model))).message).toMatch(/cannot be read \(EISDIR\)/)
    expect((await failure(storeFor(hub, { endpoint: 'huggingface.co' }))).message).toMatch(/Give one like https:/)
  })

  test('two stores at once, as of two processes: one downloads, the other waits and sees how far it is', async () => {
    const hub = await serveHub()
    const folder = await emptyFolder()
    hub.fault = ({ host }) => (host === 'cdn' ? { kind: 'slow', ms: 10 } : undefined)
    const told: number[] = []
    const [first, second] = [await storeFor(hub, { folder }), await storeFor(hub, { folder })]
    const leading = first.download(model)
    await expect.poll(() => hub.sentBytes).toBeGreaterThan(0)
    await Promise.all([leading, second.download(model, { onProgress: ({ loaded }) => told.push(loaded) })])
    expect(hub.sentBytes).toBe(totalBytes)
    expect(told.some((loaded) => loaded > 0 && loaded < totalBytes)).toBe(true)
    expect(told.at(-1)).toBe(totalBytes)
  })

  test('waiting can be aborted', async () => {
    const hub = await serveHub()
    const folder = await emptyFolder()
    hub.fault = ({ host }) => (host === 'cdn' ? { kind: 'stall', after: 10 } : undefined)
    const [first, second] = [await storeFor(hub, { folder, stallTimeoutMs: 60_000 }), await storeFor(hub, { folder })]
    const ending = new AbortController()
    const leading = first.download(model, { signal: ending.signal }).catch(() => {})
    await expect.poll(() => hub.sentBytes).toBeGreaterThan(0)
    const abort = new AbortController()
    const waiting = second.download(model, { signal: abort.signal })
    abort.abort(new Error('no patience'))
    await expect(waiting).rejects.toThrow('no patience')
    ending.abort()
    await leading
  })
})

describe('a hub that is not to be trusted', () => {
  test.each(['a\\b.gguf', 'nul.gguf', 'C:model.gguf', 'a\nb.gguf', 'model.gguf.'.padEnd(250, 'x') + '.gguf'])('names: %j is not written', async (name) => {
    const folder = await emptyFolder()
    const store = await storeFor(await serveHub({ files: new Map([[name, modelBytes]]) }), { folder })
    expect((await failure(store.download(`hf:${repository}`))).code).toBe('invalid-argument')
    expect(await store.list()).toEqual([])
    const above = await storeFor(await serveHub({ files: new Map([['../../../escaped.gguf', modelBytes]]) }), { folder })
    expect((await failure(above.download(`hf:${repository}`))).code).toBe('invalid-argument')
    expect((await readdir(folder)).filter((each) => each !== 'locks')).toEqual([])
  })

  test('a checksum that nothing fits', async () => {
    const folder = await emptyFolder()
    const store = await storeFor(await serveHub({ lies: [fileName] }), { folder })
    const error = await failure(store.download(model, { mmproj: false }))
    expect(error.details).toMatchObject({ expected: '0'.repeat(64), found: createHash('sha256').update(modelBytes).digest('hex') })
    expect((await readdir(stored(folder, '.'))).filter((each) => each !== '.facet')).toEqual([])
  })

  test.each([
    ['no JSON', '<html>'],
    ['no commit', '{"siblings":[]}'],
    ['a commit that is a path', `{"sha":"../../..","siblings":[]}`],
    ['no sizes', `{"sha":"${commit}","siblings":[{"rfilename":"a.gguf"}]}`],
    ['sizes that cannot be', `{"sha":"${commit}","siblings":[{"rfilename":"a.gguf","size":1e300}]}`],
    ['files that are none', `{"sha":"${commit}","siblings":[null]}`],
  ])('%s', async (_, body) => {
    const hub = await serveHub()
    const store = await storeFor(hub, { fetch: async () => new Response(body) })
    const error = await failure(store.download(model))
    expect([error.code, error.message]).toEqual(['download-failed', expect.stringContaining("the hub's answer cannot be used")])
  })
})

describe('an https address', () => {
  test('of a .gguf file is kept by size and ETag; a change is noticed', async () => {
    const hub = await serveHub()
    const store = await storeFor(hub)
    const address = `${hub.endpoint}/${repository}/resolve/${commit}/${fileName}?download=true`
    hub.fault = ({ host }, nth) => (host === 'cdn' && nth === 6 ? { kind: 'etag', etag: '"other"' } : undefined)
    expect((await failure(store.download(address, { parallel: 1 }))).message).toMatch(/changed on the server/)
    expect((await store.availability(address)).bytesMissing).toBe(modelBytes.length)
    hub.fault = () => undefined
    await store.download(address)
    const source = await (await store.open(address)).open(fileName)
    expect(await source?.read(0, modelBytes.length)).toEqual(modelBytes)
    await source?.close()
    expect((await store.list())[0]).toMatchObject({ model: address, bytes: modelBytes.length, files: [{ isComplete: true }] })
    await store.delete(address)
    expect(await store.list()).toEqual([])
    expect((await failure(store.download('https://example.com/folder/'))).message).toMatch(/only addresses of .gguf files/)
  })
})

test('a token is not sent to hosts that are not the hub', async () => {
  const elsewhere = await serveHub()
  const store = await storeFor(await serveHub())
  await store.download(`${elsewhere.endpoint}/${repository}/resolve/${commit}/${fileName}`, { token: 'hf_secret' })
  expect(elsewhere.requests.length).toBeGreaterThan(1)
  expect(elsewhere.requests.every(({ authorization }) => authorization === undefined)).toBe(true)
})

describe('list, delete, verify', () => {
  test('list and size; delete one file, then all', async () => {
    const store = await storeFor(await serveHub())
    await store.download(model)
    const [entry, ...others] = await store.list()
    expect(others).toEqual([])
    expect(entry).toMatchObject({ model: `hf:${repository}@${commit}`, addresses: [model], bytes: totalBytes, bytesPresent: totalBytes })
    expect(entry.files.map(({ name }) => name).sort()).toEqual([fileName, mmprojName])
    expect(Date.now() - entry.usedAt).toBeLessThan(60_000)
    expect(await store.size()).toBe(totalBytes)
    await store.delete(`hf:${repository}/${mmprojName}`)
    expect(await store.size()).toBe(modelBytes.length)
    await store.download(model, { mmproj: false }) // what is left is not fetched again, and no mmproj either
    expect(await store.size()).toBe(modelBytes.length)
    await store.delete(`hf:${repository}@main`) // what was asked for without a revision
    expect(await store.list()).toEqual([])
    expect((await failure(store.delete(model))).code).toBe('invalid-argument')
  })

  test('a flipped byte is found, and only its part is fetched again', async () => {
    const hub = await serveHub()
    const folder = await emptyFolder()
    const store = await storeFor(hub, { folder })
    await store.download(model)
    expect((await store.verify(model)).map(({ state }) => state)).toEqual(['sound'])
    const bytes = Uint8Array.from(modelBytes)
    bytes[700_000] ^= 4
    await writeFile(stored(folder, fileName), bytes)
    expect(await store.verify(`hf:${repository}`)).toEqual(expect.arrayContaining([
      { model: `hf:${repository}@${commit}`, name: fileName, bytes: modelBytes.length, state: 'damaged', damagedBytes: partBytes },
      { model: `hf:${repository}@${commit}`, name: mmprojName, bytes: mmprojBytes.length, state: 'sound', damagedBytes: 0 },
    ]))
    const before = hub.sentBytes
    expect((await store.verify(model, { repair: true })).map(({ state }) => state)).toEqual(['repaired'])
    expect(hub.sentBytes - before).toBe(partBytes)
    await expectWhole(folder)
    expect((await store.verify(model)).map(({ state }) => state)).toEqual(['sound'])
  })

  test('files that somebody cut or damaged while a download was interrupted come right', async () => {
    const hub = await serveHub()
    const folder = await emptyFolder()
    const store = await storeFor(hub, { folder })
    await store.download(model)
    await truncate(stored(folder, fileName), 1_000_000)
    const before = hub.sentBytes
    await store.download(model)
    await expectWhole(folder)
    expect(hub.sentBytes - before).toBe(modelBytes.length - Math.floor(1_000_000 / partBytes) * partBytes)

    // Interrupted, then a byte of what was there flips.
    await store.delete(model)
    hub.fault = ({ host, path }, nth) => (host === 'cdn' && path === `/${fileName}` && nth > 30 ? { kind: 'status', status: 500 } : undefined)
    await failure(store.download(model, { parallel: 1 }))
    hub.fault = () => undefined
    const partial = await readFile(stored(folder, fileName))
    partial[100] ^= 1
    await writeFile(stored(folder, fileName), partial)
    await store.download(model)
    await expectWhole(folder)
  })
})
