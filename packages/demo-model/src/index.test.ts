import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { demoModel } from './index.ts'

describe('demoModel', () => {
  test.each([
    [demoModel.gguf, 1_749_760, '72ca8284c66ecf5c71636afe637d474c3db2f5b397fa9c34e39376ab9b382b16'],
    [demoModel.mmproj, 1_972_768, 'f18864f9db10df928e92e538a3b7df3fa8e3d9e9e21aa4ca789c6268ff38e589'],
  ])('%s is the GGUF that was trained', async (url, size, sha256) => {
    const bytes = await readFile(url)
    expect(bytes.subarray(0, 4).toString('latin1')).toBe('GGUF')
    expect(bytes.readUInt32LE(4)).toBe(3)
    expect(bytes.length).toBe(size)
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(sha256)
  })

  test('the picture is one whose answer is known', async () => {
    const known = new URL('../../core/fixtures/demo/pictures/001.png', import.meta.url)
    expect(await readFile(demoModel.picture)).toEqual(await readFile(known))
  })
})
