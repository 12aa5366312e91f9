import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { failure } from '../testing/failure.ts'
import { browserStore, type Entries } from './browser-store.ts'
import { opfsEntries } from './opfs-entries.ts'

/** A private file system of which every write fails so. */
function stubFileSystem(error: Error): void {
  const file = { createWritable: async () => await Promise.reject(error) }
  const folder = { getFileHandle: async () => file, getDirectoryHandle: async () => folder, keys: async function* () { yield 'kept' } }
  vi.stubGlobal('navigator', { storage: { getDirectory: async () => folder } })
  onTestFinished(() => void vi.unstubAllGlobals())
}

describe('the private file system', () => {
  test.each(['QuotaExceededError', 'NoModificationAllowedError'])('is the store after %s: what is kept there can be read and deleted', async (name) => {
    stubFileSystem(new DOMException('no', name))
    expect(await (await opfsEntries())?.list('hf')).toEqual(['kept'])
  })

  test.each([new DOMException('no', 'SecurityError'), new TypeError('createWritable is not a function')])('is none after %s', async (error) => {
    stubFileSystem(error)
    expect(await opfsEntries()).toBeUndefined()
  })
})

test('a part of the wrong size: the error says what helps', async () => {
  const entries: Entries = { name: 'memory', get: async () => new Blob(['x']), put: async () => {}, list: async () => ['0'], delete: async () => {} }
  const source = await browserStore(entries).open({ path: 'model.gguf', bytes: 4, partBytes: 4 })
  expect((await failure((async () => await source?.read(0, 4))())).message).toMatch(/Verify the model with \{ repair: true \}/)
})
