import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { afterEach, describe, expect, test } from 'vitest'
import { failure } from '../testing/failure.ts'
import { httpFolder, httpSource } from './http-source.ts'

const content: Uint8Array = Uint8Array.from({ length: 300_000 }, (_, index) => (index * 7919) >> 3)
const quick = { retryDelayMs: 1 }
let server: Server | undefined

afterEach(() => {
  server?.closeAllConnections()
  server?.close()
})

async function serve(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
  server = createServer(answer)
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return `http://127.0.0.1:${address.port}/model.gguf`
}

function rangeOf(request: IncomingMessage): { first: number; last: number } {
  const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? []
  return { first: Number(first), last: Math.min(Number(last), content.length - 1) }
}

/** A server as it should be. `sent`: how many bytes of the part it really sends. */
function answerRange(request: IncomingMessage, response: ServerResponse, sent = Infinity, headers: Record<string, string> = {}): void {
  const { first, last } = rangeOf(request)
  response.writeHead(206, { 'content-range': `bytes ${first}-${last}/${content.length}`, 'content-length': last - first + 1, ...headers })
  const part = content.slice(first, last + 1)
  if (sent >= part.length) response.end(part)
  else response.write(part.subarray(0, sent), () => response.destroy())
}

describe('httpSource', () => {
  test('reads ranges, the first from what it has', async () => {
    const ranges: string[] = []
    const address = await serve((request, response) => {
      ranges.push(request.headers.range ?? '')
      answerRange(request, response)
    })
    const source = await httpSource(address, quick)
    expect(source.size).toBe(content.length)
    expect(await source.read(10, 20)).toEqual(content.slice(10, 30))
    expect(await source.read(200_000, 100_000)).toEqual(content.slice(200_000))
    expect(ranges).toEqual(['bytes=0-65535', 'bytes=0-299999']) // a block, which this file is shorter than
    expect((await failure(source.read(299_999, 2))).code).toBe('invalid-model')
  })

  test('sends headers and uses the given fetch', async () => {
    let token: string | undefined
    const address = await serve((request, response) => {
      token = request.headers.authorization
      answerRange(request, response)
    })
    let calls = 0
    const counting: typeof fetch = async (...args) => {
      calls++
      return await fetch(...args)
    }
    await httpSource(address, { ...quick, headers: { authorization: 'Bearer x' }, fetch: counting })
    expect([token, calls]).toEqual(['Bearer x', 1])
  })

  test('goes on where a connection breaks off', async () => {
    let requests = 0
    const starts: number[] = []
    const address = await serve((request, response) => {
      starts.push(rangeOf(request).first)
      answerRange(request, response, ++requests === 2 || requests === 3 ? 50_000 : Infinity)
    })
    const source = await httpSource(address, quick)
    expect(await source.read(100_000, 200_000)).toEqual(content.slice(100_000))
    expect(starts.length).toBe(4)
    expect(starts[3]).toBeGreaterThan(starts[1])
  })

  test('gives up after a few cut connections', async () => {
    let requests = 0
    const address = await serve((request, response) => {
      requests++
      answerRange(request, response, 1000)
    })
    const error = await failure(httpSource(address, quick))
    expect(error.code).toBe('download-failed')
    expect(error.message).toMatch(/connection broke.*tried 5 times.*Check the address/)
    expect(requests).toBe(5)
  })

  test('does not wait for ever for a silent server', async () => {
    const address = await serve((request, response) => {
      response.writeHead(206, { 'content-range': `bytes 0-65535/${content.length}` })
      response.write(content.subarray(0, 10))
    })
    const error = await failure(httpSource(address, { ...quick, stallTimeoutMs: 20 }))
    expect(error.message).toMatch(/sent nothing/)
  })

  test('tries 503 again, 404 not', async () => {
    let requests = 0
    const address = await serve((request, response) => {
      if (++requests < 3) response.writeHead(503).end()
      else answerRange(request, response)
    })
    expect((await httpSource(address, quick)).size).toBe(content.length)
    expect(requests).toBe(3)
  })

  test.each<[number, RegExp]>([
    [401, /access is refused \(HTTP 401\).*authorization/],
    [403, /access is refused \(HTTP 403\)/],
    [404, /no such file \(HTTP 404\)/],
    [418, /answered 418/],
    [500, /answered 500.*tried 5 times/],
  ])('status %i', async (status, message) => {
    let requests = 0
    const address = await serve((_, response) => {
      requests++
      response.writeHead(status).end('no')
    })
    const error = await failure(httpSource(address, quick))
    expect(error.code).toBe('download-failed')
    expect(error.message).toMatch(message)
    expect(requests).toBe(status === 500 ? 5 : 1)
  })

  test('names the fix where a server ignores Range, and reads none of its body', async () => {
    let sent = 0
    const address = await serve((_, response) => {
      response.writeHead(200)
      const timer = setInterval(() => {
        sent += 65536
        response.write(new Uint8Array(65536))
      }, 1)
      response.on('close', () => clearInterval(timer))
    })
    const error = await failure(httpSource(address, quick))
    expect(error.code).toBe('download-failed')
    expect(error.message).toMatch(/ignores Range.*nginx.*download it and open the local file/)
    expect(sent).toBeLessThan(50e6)
  })

  test.each<[string, Record<string, string>, RegExp]>([
    ['no Content-Range', {}, /hides Content-Range/],
    ['another beginning', { 'content-range': 'bytes 5-65000/300000' }, /Content-Range "bytes 5-/],
    ['no size', { 'content-range': 'bytes 0-65535/*' }, /Content-Range/],
    ['an end beyond the file', { 'content-range': 'bytes 0-65535/100' }, /Content-Range/],
    ['an absurd size', { 'content-range': 'bytes 0-65535/99999999999999999999' }, /Content-Range/],
  ])('refuses a 206 with %s', async (_, headers, message) => {
    const address = await serve((_request, response) => {
      response.writeHead(206, headers).end(content.slice(0, 65536))
    })
    const error = await failure(httpSource(address, quick))
    expect(error.code).toBe('download-failed')
    expect(error.message).toMatch(message)
  })

  test('notices that the file changed', async () => {
    let requests = 0
    const address = await serve((request, response) => answerRange(request, response, Infinity, { etag: `"${++requests}"` }))
    const source = await httpSource(address, quick)
    expect((await failure(source.read(100_000, 10))).message).toMatch(/changed on the server/)
  })

  test('notices another size', async () => {
    let requests = 0
    const address = await serve((request, response) => {
      const { first, last } = rangeOf(request)
      response.writeHead(206, { 'content-range': `bytes ${first}-${last}/${content.length + requests++}` }).end(content.slice(first, last + 1))
    })
    const source = await httpSource(address, quick)
    expect((await failure(source.read(100_000, 10))).message).toMatch(/changed on the server/)
  })

  test('no server, and an empty file', async () => {
    expect((await failure(httpSource('http://127.0.0.1:1/x.gguf', quick))).message).toMatch(/could not be reached/)
    const address = await serve((_, response) => response.writeHead(416).end())
    expect((await failure(httpSource(address, quick))).message).toMatch(/empty/)
  })

  test('aborts with the reason, also between tries', async () => {
    const address = await serve((_, response) => response.writeHead(503).end())
    const controller = new AbortController()
    const reason = new Error('enough')
    setTimeout(() => controller.abort(reason), 20)
    await expect(httpSource(address, { retryDelayMs: 60_000, signal: controller.signal })).rejects.toBe(reason)
    await expect(httpSource(address, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
  })
})

describe('httpFolder', () => {
  test('small files whole, others in ranges, missing ones undefined', async () => {
    const seen: string[] = []
    const address = await serve((request, response) => {
      seen.push(`${request.url} ${request.headers.range ?? 'whole'}`)
      if (request.url?.includes('config.json')) response.end('{"a":1}')
      else if (request.url?.includes('page.json')) response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end('<html>')
      else if (request.url?.includes('model.safetensors')) answerRange(request, response)
      else response.writeHead(404).end()
    })
    const folder = httpFolder(new URL('sub/?token=x', address), quick)
    const config = await folder.open('config.json')
    expect(new TextDecoder().decode(await config?.read(0, config.size))).toBe('{"a":1}')
    expect((await folder.open('model.safetensors'))?.size).toBe(content.length)
    expect(await folder.open('missing.json')).toBeUndefined()
    expect(await folder.open('missing.safetensors')).toBeUndefined()
    expect(await folder.open('page.json')).toBeUndefined()
    expect(seen[0]).toBe('/sub/config.json?token=x whole')
    expect(seen[1]).toBe('/sub/model.safetensors?token=x bytes=0-65535')
  })
})
