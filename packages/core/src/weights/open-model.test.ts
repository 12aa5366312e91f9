import { chmod, mkdtemp, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import process from 'node:process'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { failure } from '../testing/failure.ts'
import { writeGguf } from '../testing/gguf-writer.ts'
import { tinyGguf } from '../testing/tiny-gguf.ts'
import { bufferSource, filesFolder } from './buffer-source.ts'
import type { Checkpoint, RowSlice } from './checkpoint.ts'
import { openModel } from './open-model.ts'

const gguf = writeGguf(tinyGguf()).bytes
const text = (value: string): Uint8Array => new TextEncoder().encode(value)
const fixtureFolder = fileURLToPath(new URL('../../fixtures/models/text-1b-like', import.meta.url))

let root = ''
let server: Server | undefined
let base = ''

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'facet-open-'))
  await writeFile(join(root, 'tiny.gguf'), gguf)
  await writeFile(join(root, 'no-extension'), gguf)
  await writeFile(join(root, 'page.gguf'), '\n <!DOCTYPE html><html></html>')
  await writeFile(join(root, 'pointer.gguf'), 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n')
  await writeFile(join(root, 'archive.bin'), text('PK\u0003\u0004xxxxxxxx'))
  await writeFile(join(root, 'empty.gguf'), '')
  await writeFile(join(root, 'noise.gguf'), text('something else altogether'))
  await mkdir(join(root, 'nothing'))
  await mkdir(join(root, 'one'))
  await writeFile(join(root, 'one', 'tiny.gguf'), gguf)
  await mkdir(join(root, 'two'))
  await writeFile(join(root, 'two', 'a.gguf'), gguf)
  await writeFile(join(root, 'two', 'b.gguf'), gguf)

  server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url ?? '/', 'http://x').pathname)
    const file = path.startsWith('/hf/') ? join(fixtureFolder, path.slice(4)) : join(root, path)
    readFile(file).then(
      (bytes) => {
        const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? []
        if (first === undefined) return response.end(bytes)
        const part = bytes.subarray(Number(first), Number(last) + 1)
        return response.writeHead(206, { 'content-range': `bytes ${first}-${Number(first) + part.length - 1}/${bytes.length}` }).end(part)
      },
      () => response.writeHead(404).end(),
    )
  })
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  base = typeof address === 'object' && address !== null ? `http://127.0.0.1:${address.port}` : ''
})

afterAll(async () => {
  server?.closeAllConnections()
  server?.close()
  await rm(root, { recursive: true })
})

const describeModel = async (input: Parameters<typeof openModel>[0]): Promise<string> => {
  const checkpoint = await openModel(input)
  const { name, format } = checkpoint
  await checkpoint.close()
  return `${format} ${name}`
}

async function slicesOf(checkpoint: Checkpoint, name: string): Promise<RowSlice[]> {
  const slices: RowSlice[] = []
  for await (const slice of checkpoint.read(name)) slices.push(slice)
  return slices
}

describe('openModel opens', () => {
  test('a GGUF file by path, relative path, file address, whatever its name', async () => {
    expect(await describeModel(join(root, 'tiny.gguf'))).toBe('gguf Tiny')
    expect(await describeModel(relative(process.cwd(), join(root, 'tiny.gguf')))).toBe('gguf Tiny')
    expect(await describeModel(pathToFileURL(join(root, 'tiny.gguf')))).toBe('gguf Tiny')
    expect(await describeModel(pathToFileURL(join(root, 'tiny.gguf')).href)).toBe('gguf Tiny')
    expect(await describeModel(join(root, 'no-extension'))).toBe('gguf Tiny')
  })

  test('a folder by path, by its weights, by its config', async () => {
    expect(await describeModel(fixtureFolder)).toBe('safetensors text-1b-like')
    expect(await describeModel(`${fixtureFolder}/`)).toBe('safetensors text-1b-like')
    expect(await describeModel(join(fixtureFolder, 'model.safetensors'))).toBe('safetensors text-1b-like')
    expect(await describeModel(join(fixtureFolder, 'config.json'))).toBe('safetensors text-1b-like')
    expect(await describeModel(join(root, 'one'))).toBe('gguf Tiny')
  })

  test('over http: a file, a folder, files in it', async () => {
    expect(await describeModel(`${base}/tiny.gguf?download=true`)).toBe('gguf Tiny')
    expect(await describeModel(new URL(`${base}/hf/`))).toBe('safetensors hf')
    expect(await describeModel(`${base}/hf/model.safetensors`)).toBe('safetensors hf')
    expect(await describeModel(`${base}/hf/config.json`)).toBe('safetensors hf')
  })

  test('bytes, blobs, sources, folders, checkpoints', async () => {
    expect(await describeModel(gguf)).toBe('gguf Tiny')
    expect(await describeModel(gguf.buffer)).toBe('gguf Tiny')
    expect(await describeModel(new Blob([gguf]))).toBe('gguf Tiny')
    expect(await describeModel(new File([gguf], 'x.gguf'))).toBe('gguf Tiny')
    expect(await describeModel(bufferSource(gguf))).toBe('gguf Tiny')
    const files = new Map(await Promise.all(['config.json', 'model.safetensors'].map(async (name) => [name, new Blob([await readFile(join(fixtureFolder, name))])] as const)))
    expect(await describeModel(filesFolder(files))).toBe('safetensors model files')
    const checkpoint = await openModel(gguf)
    expect(await openModel(checkpoint)).toBe(checkpoint)
  })

  test('what it reads over http equals the file', async () => {
    const over = await openModel(`${base}/hf/`)
    const local = await openModel(fixtureFolder)
    for (const name of ['embed_tokens.weight', 'layers.6.mlp.down_proj.weight', 'norm.weight']) {
      const [a, b] = await Promise.all([over, local].map(async (checkpoint) => await slicesOf(checkpoint, name)))
      expect(a).toEqual(b)
    }
    await local.close()
  })
})

describe('openModel refuses', () => {
  test.each<[string, string, string, RegExp]>([
    ['a missing path', 'missing.gguf', 'invalid-argument', /no such file or folder\. Check the path/],
    ['a path through a file', 'tiny.gguf/x', 'invalid-argument', /no such file or folder/],
    ['an empty folder', 'nothing', 'invalid-model', /no config\.json\. Pass a folder with/],
    ['a folder of two models', 'two', 'invalid-argument', /2 GGUF models \((a\.gguf, b\.gguf|b\.gguf, a\.gguf)\)/],
    ['a web page', 'page.gguf', 'invalid-model', /web page.*\/resolve\//],
    ['a Git LFS pointer', 'pointer.gguf', 'invalid-model', /git lfs pull/],
    ['an archive', 'archive.bin', 'unsupported-model', /zip archive/],
    ['an empty file', 'empty.gguf', 'invalid-model', /empty/],
    ['another file', 'noise.gguf', 'invalid-model', /neither a GGUF nor a safetensors/],
  ])('%s', async (_, path, code, message) => {
    const error = await failure(openModel(join(root, path)))
    expect(error.message).toMatch(message)
    expect(error.code).toBe(code)
  })

  test('addresses that lead nowhere, unknown schemes, no model at all', async () => {
    expect((await failure(openModel(`${base}/missing.gguf`))).message).toMatch(/HTTP 404/)
    expect((await failure(openModel('http://127.0.0.1:1/%zz.gguf', { retryDelayMs: 1 }))).code).toBe('download-failed')
    expect((await failure(openModel(`${base}/missing/`))).message).toMatch(/no config\.json/)
    expect((await failure(openModel('ftp://example.com/x.gguf'))).message).toMatch(/begin with ftp:/)
    expect((await failure(openModel('http://'))).code).toBe('invalid-argument')
    expect((await failure(openModel('file://elsewhere/x.gguf'))).code).toBe('invalid-argument')
    expect((await failure(openModel(''))).message).toMatch(/empty/)
    expect((await failure(openModel(new Uint8Array()))).message).toMatch(/empty/)
    expect((await failure(openModel(await readFile(join(fixtureFolder, 'model.safetensors'))))).message).toMatch(/Pass its folder/)
    expect((await failure(openModel('/dev/null'))).message).toMatch(/neither a file nor a folder/)
  })

  test('an aborted signal', async () => {
    const reason = new Error('no')
    await expect(openModel(join(root, 'tiny.gguf'), { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
  })
})

describe('a GGUF model and its mmproj', () => {
  const demoModel = fileURLToPath(new URL('../../../demo-model/model/', import.meta.url))
  const [model, mmproj] = [join(demoModel, 'demo-q8_0.gguf'), join(demoModel, 'mmproj-demo-f16.gguf')]
  const sees = async (...args: Parameters<typeof openModel>): Promise<boolean> => {
    const checkpoint = await openModel(...args)
    await checkpoint.close()
    return checkpoint.config.vision !== undefined
  }

  test('the one beside a lone model is taken; from bytes there is nothing beside', async () => {
    expect(await sees(model)).toBe(true)
    expect(await sees(demoModel)).toBe(true)
    expect(await sees(await readFile(model))).toBe(false)
  })

  test('of several models, none is taken unless it is named', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'facet-mmproj-'))
    try {
      for (const [from, to] of [[model, 'a.gguf'], [model, 'b.gguf'], [mmproj, 'mmproj-a.gguf']] as const) await writeFile(join(folder, to), await readFile(from))
      const [path, tower] = [join(folder, 'a.gguf'), join(folder, 'mmproj-a.gguf')]
      expect(await sees(path)).toBe(false)
      for (const named of [tower, pathToFileURL(tower), pathToFileURL(tower).href, new Blob([await readFile(mmproj)]), bufferSource(await readFile(mmproj))]) expect(await sees(path, { mmproj: named })).toBe(true)
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  test.each([
    ['a text model', model, 'unsupported-model'],
    ['no file', `${mmproj}.not`, 'invalid-argument'],
    ['something else', text('GGUF?'), 'invalid-model'],
  ] as const)('%s in its place is an error', async (_, named, code) => {
    expect((await failure(openModel(model, { mmproj: named }))).code).toBe(code)
  })

  test.each(['null', '{}', '5', 'true', '[]'])('%s is no mmproj file', async (json) => {
    const error = await failure(openModel(model, { mmproj: JSON.parse(json) }))
    expect(error.code).toBe('invalid-argument')
    expect(error.message).toMatch(/^This is no mmproj file/)
  })

  test("another model's is named, with both widths", async () => {
    const { code, message } = await failure(openModel(gguf, { mmproj }))
    expect(code).toBe('invalid-model')
    expect(message).toMatch(/^\S*mmproj-demo-f16\.gguf: .* hidden size of 128,/)
  })

  test('a safetensors model has its tower in its own files; a checkpoint is open already', async () => {
    const error = await failure(openModel(fixtureFolder, { mmproj }))
    expect(error.code).toBe('invalid-argument')
    expect(error.message).toMatch(/mmproj/)
    const checkpoint = await openModel(await readFile(model))
    expect((await failure(openModel(checkpoint, { mmproj }))).message).toMatch(/open already.*mmproj/)
    await checkpoint.tokenizer() // not closed
    await checkpoint.close()
  })

  test('a source in its place is closed once, whatever fails', async () => {
    for (const input of [fixtureFolder, `${model}.not`, text('GGUF?'), await readFile(mmproj)]) {
      let closed = 0
      await failure(openModel(input, { mmproj: { ...bufferSource(await readFile(mmproj)), close: async () => void closed++ } }))
      expect(closed, String(input).slice(0, 80)).toBe(1)
    }
  })

  const mayListAll = process.platform === 'win32' || process.getuid?.() === 0
  test.skipIf(mayListAll)(`a folder that cannot be listed has none beside the model${mayListAll ? ' (skipped: this user may list any)' : ''}`, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'facet-mmproj-'))
    try {
      await writeFile(join(folder, 'a.gguf'), await readFile(model))
      await chmod(folder, 0o311)
      expect(await sees(join(folder, 'a.gguf'))).toBe(false)
    } finally {
      await chmod(folder, 0o711)
      await rm(folder, { recursive: true })
    }
  })
})
