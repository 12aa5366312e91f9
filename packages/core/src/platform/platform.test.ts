import { open, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { failure } from '../testing/failure.ts'
import * as node from './node.ts'
import * as web from './web.ts'

test('both platforms have the same exports; browsers refuse paths', async () => {
  expect(Object.keys(web).sort()).toEqual(Object.keys(node).sort())
  expect((await failure(web.fileSource('/models/a.gguf'))).message).toMatch(/Pass a File or Blob/)
  expect((await failure(web.kindOf('/models/a.gguf'))).code).toBe('invalid-argument')
})

test('a file over 4 GB (sparse) is read where asked; cutting it afterwards is noticed', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'facet-file-'))
  const path = join(folder, 'big')
  const size = 5 * 2 ** 30
  const file = await open(path, 'w+')
  try {
    await file.truncate(size)
    await file.write(Uint8Array.of(1, 2, 3), 0, 3, size - 3)
    const source = await node.fileSource(path)
    expect(source.size).toBe(size)
    expect(await source.read(size - 4, 4)).toEqual(Uint8Array.of(0, 1, 2, 3))
    expect((await failure(source.read(size - 4, 5))).code).toBe('invalid-model')
    await file.truncate(100)
    expect((await failure(source.read(size - 4, 4))).message).toMatch(/cut short/)
    await source.close()
  } finally {
    await file.close()
    await rm(folder, { recursive: true })
  }
})
