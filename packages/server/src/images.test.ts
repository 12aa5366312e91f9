import { readFileSync } from 'node:fs'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { LookupFunction } from 'node:net'
import { crc32, deflateSync } from 'node:zlib'
import type { Gemma } from '@facetjs/core'
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { buildApp, createApp } from './app.ts'
import type { AppOptions, FacetApp } from './options.ts'
import { createFetchImage, isPublicAddress } from './remote-image.ts'
import { ask, dataUrl, hfAnswer, imagePart, type Json, loadDemo, pictureBytes, poll, question, wire } from './server.testing.ts'

const picture = '000.png'
const { question: about, answer } = hfAnswer(picture)
const png = dataUrl(pictureBytes(picture))
const where = 'messages[0].content[1].image_url.url'

let gemma: Gemma
let app: FacetApp
beforeAll(async () => {
  gemma = await loadDemo()
  app = createApp(gemma)
})
afterAll(() => gemma.dispose())

function showing(...urls: readonly string[]): Json {
  return question([{ type: 'text', text: about }, ...urls.map(imagePart)])
}

/** Black. https://www.w3.org/TR/png-3/#5DataRep */
function widePng(width: number, height: number): Buffer {
  const chunk = (type: string, data: Buffer): Buffer => {
    const named = Buffer.concat([Buffer.from(type), data])
    const [size, sum] = [Buffer.alloc(4), Buffer.alloc(4)]
    size.writeUInt32BE(data.length)
    sum.writeUInt32BE(crc32(named))
    return Buffer.concat([size, named, sum])
  }
  const header = Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0]) // 8 bits, grey
  header.writeUInt32BE(width)
  header.writeUInt32BE(height, 4)
  return Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), chunk('IHDR', header), chunk('IDAT', deflateSync(Buffer.alloc((width + 1) * height))), chunk('IEND', Buffer.alloc(0))])
}

/** A picture where HF's test had it: before the words. */
function shown(url: string): Json {
  return question([imagePart(url), { type: 'text', text: about }])
}

async function refusal(asked: FacetApp, body: Json): Promise<readonly [number, string | null | undefined, string | null | undefined]> {
  const response = await ask(asked, body)
  const { error } = await wire(response)
  return [response.status, error?.param, error?.code]
}

describe('pictures in data: URLs', () => {
  test('are seen as HF sees them', async () => {
    const { choices, usage } = await wire(ask(app, shown(png)))
    expect(choices[0]?.message.content).toBe(answer)
    const tokens: { readonly count: number } = await (await ask(app, { messages: shown(png)['messages'] }, { path: '/tokenize' })).json()
    expect(usage?.prompt_tokens).toBe(tokens.count)
    expect(tokens.count).toBeGreaterThan(await gemma.countTokens([{ role: 'user', content: about }]))
  })

  test('pan and scan shows crops too, of a wide one', async () => {
    const wide = widePng(1024, 256)
    const content = [{ type: 'image' as const, image: wide, panAndScan: true }, { type: 'text' as const, text: about }]
    const [plain, cropped] = await Promise.all([false, true].map((isOn) => wire(ask(app, { ...shown(dataUrl(wide)), mm_processor_kwargs: { do_pan_and_scan: isOn }, max_tokens: 1 }))))
    expect(cropped?.usage?.prompt_tokens).toBe(await gemma.countTokens([{ role: 'user', content }]))
    expect(cropped?.usage?.prompt_tokens).toBeGreaterThan(plain?.usage?.prompt_tokens ?? Infinity)
  })

  test.each([['lossy.webp', 'image/webp'], ['animated.gif', 'image/gif'], ['progressive.jpg', 'image/jpeg'], ['exif-6.jpg', 'image/jpg']])('%s is read', async (file, type) => {
    const bytes = readFileSync(new URL(`../../core/fixtures/image/files/${file}`, import.meta.url))
    expect((await ask(app, { ...shown(dataUrl(bytes, type)), max_tokens: 1 })).status).toBe(200)
  })

  const inBase64 = png.slice(png.indexOf(',') + 1)
  test.each([
    ['no base64', 'data:image/png;base64,*', 'invalid_base64'],
    ['nothing', 'data:image/png;base64,', 'invalid_base64'],
    ['a line break', `data:image/png;base64,${inBase64.slice(0, 76)}\n${inBase64.slice(76)}`, 'invalid_base64'],
    ['a character too few', png.slice(0, -1), 'invalid_base64'],
    ['padding within', `data:image/png;base64,iVBO==${inBase64}`, 'invalid_base64'],
    ['base64url', 'data:image/png;base64,__--', 'invalid_base64'],
    ['percent escapes', 'data:image/png,%89PNG', 'invalid_image_url'],
    ['no comma', 'data:image/png;base64', 'invalid_image_url'],
    ['another type', `data:image/svg+xml;base64,${inBase64}`, 'invalid_image_url'],
    ['no type', `data:;base64,${inBase64}`, 'invalid_image_url'],
    ['a file', 'file:///etc/passwd', 'invalid_image_url'],
    ['ftp', 'ftp://example.com/a.png', 'invalid_image_url'],
    ['no address', 'picture.png', 'invalid_image_url'],
    ['an address on the web', 'https://example.com/a.png', 'invalid_image_url'], // not switched on
  ])('%s is refused', async (_, url, code) => {
    expect(await refusal(app, showing(url))).toEqual([400, where, code])
  })

  test('bytes that are no picture, or SVG in disguise, are refused', async () => {
    for (const text of ['GIF89a', '<svg xmlns="http://www.w3.org/2000/svg"/>', 'Hello', `BM${'\0'.repeat(60)}`, 'II*\0']) {
      expect(await refusal(app, showing(dataUrl(Buffer.from(text))))).toEqual([400, where, 'invalid_image'])
    }
    const broken = pictureBytes(picture).subarray(0, 1000)
    expect(await refusal(app, showing(dataUrl(broken)))).toEqual([400, 'messages', 'invalid_image'])
  })

  test('too large, too many', async () => {
    const size = pictureBytes(picture).length
    const options: AppOptions = { limits: { imageBytes: size, imagesPerRequest: 1 } }
    const narrow = createApp(gemma, options)
    expect((await ask(narrow, { ...showing(png), max_tokens: 1 })).status).toBe(200)
    expect(await refusal(narrow, showing(png, png))).toEqual([400, 'messages[0].content[2].image_url.url', 'too_many_images'])
    expect(await refusal(createApp(gemma, { limits: { imageBytes: size - 3 } }), showing(png))).toEqual([400, where, 'image_too_large'])
  })
})

describe('which addresses are public', () => {
  test.each([
    '127.0.0.1', '127.8.8.8', '0.0.0.0', '10.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.1.1', '169.254.169.254', '100.64.0.1', '192.0.2.1', '198.18.0.1', '224.0.0.1', '240.0.0.1', '255.255.255.255', '168.63.129.16', '192.0.0.192', '100.100.100.200', 'fd00:ec2::254',
    '::', '::1', '::127.0.0.1', '::7f00:1', '4000::1', '::ffff:127.0.0.1', '::ffff:8.8.8.8', 'fe80::1', 'fc00::1', 'fd00::1', 'fec0::1', 'ff02::1', '64:ff9b::7f00:1', '64:ff9b:1::1', '2002:7f00:1::', 'fe80::1%eth0', '2001:db8::1', '2001::1', 'localhost', '',
  ])('%s is not', (address) => expect(isPublicAddress(address)).toBe(false))
  test.each(['8.8.8.8', '1.1.1.1', '93.184.216.34', '172.32.0.1', '2606:4700::1111', '2a00:1450:4001::1'])('%s is', (address) => expect(isPublicAddress(address)).toBe(true))
})

describe('pictures on the web', () => {
  /** The name under which tests reach this machine as if it were public. */
  const here = 'pictures.example'
  const lookup: LookupFunction = (hostname, _options, callback) => {
    const [family, address] = hostname === 'six.example' ? [6, '::1'] : [4, hostname === here ? '127.0.0.1' : hostname === 'cloud.example' ? '169.254.169.254' : '10.0.0.1']
    callback(null, [{ address, family }])
  }

  async function listen(listener: RequestListener): Promise<{ readonly port: number; readonly server: Server; readonly paths: string[] }> {
    const paths: string[] = []
    const server = createServer((request, response) => {
      paths.push(request.url ?? '')
      listener(request, response)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => {
      server.closeAllConnections()
      server.close()
    })
    const address = server.address()
    if (typeof address !== 'object' || address === null) throw new Error('The server listens to no port.')
    return { port: address.port, server, paths }
  }

  /** 127.0.0.1 is allowed only where the name was looked up: literal addresses never are. */
  function fetching(options: AppOptions = {}, isOpen = true): FacetApp {
    let isNamed = false
    const marked: LookupFunction = (hostname, given, callback) => {
      isNamed = isOpen && hostname === here
      lookup(hostname, given, callback)
    }
    const isAllowed = (address: string): boolean => {
      const allowed = isPublicAddress(address) || (isNamed && address === '127.0.0.1')
      isNamed = false
      return allowed
    }
    return buildApp(gemma, { remoteImages: true, ...options }, { fetchImage: createFetchImage({ lookup: marked, isAllowed }) })
  }

  test('are fetched where that is switched on, redirects included', async () => {
    const { port, paths } = await listen((request, response) => {
      if (request.url === '/a.png') response.end(pictureBytes(picture))
      else response.writeHead(302, { location: request.url === '/1' ? '/2' : '/a.png' }).end()
    })
    expect((await wire(ask(fetching(), shown(`http://${here}:${port}/1`)))).choices[0]?.message.content).toBe(answer)
    expect(paths).toEqual(['/1', '/2', '/a.png'])
  })

  test('of this machine, its networks and the cloud are not', async () => {
    const { port, paths } = await listen((_, response) => response.end(pictureBytes(picture)))
    const literals = ['127.0.0.1', '[::1]', '169.254.169.254', '2130706433', '0x7f000001', '0177.0.0.1', '127.1', '[::ffff:127.0.0.1]', '0', 'private.example', 'cloud.example', 'six.example', here]
    const closed = fetching({}, false)
    for (const host of literals) expect([host, ...(await refusal(closed, showing(`http://${host}:${port}/`)))]).toEqual([host, 400, where, 'invalid_image_url'])
    expect(await refusal(createApp(gemma, { remoteImages: true }), showing(`http://localhost:${port}/`))).toEqual([400, where, 'invalid_image_url'])
    expect(paths).toEqual([])
  })

  test('a redirect does not lead there either, nor on for ever, nor elsewhere than the web', async () => {
    const { port, paths } = await listen((request, response) => {
      const [, target = ''] = (request.url ?? '').split('?to=')
      response.writeHead(302, { location: request.url === '/loop' ? '/loop' : decodeURIComponent(target) }).end()
    })
    const open = fetching()
    for (const target of [`http://127.0.0.1:${port}/secret`, `http://2130706433:${port}/secret`, 'http://private.example/secret', 'http://cloud.example/latest/meta-data', `http://[::1]:${port}/secret`, 'file:///etc/passwd', 'data:image/png;base64,AAAA', `http://me:pass@${here}:${port}/secret`]) {
      expect([target, ...(await refusal(open, showing(`http://${here}:${port}/?to=${encodeURIComponent(target)}`)))]).toEqual([target, 400, where, 'invalid_image_url'])
    }
    expect(paths.filter((path) => path === '/secret')).toEqual([])
    expect(await refusal(open, showing(`http://${here}:${port}/loop`))).toEqual([400, where, 'invalid_image_url'])
    expect(paths.filter((path) => path === '/loop')).toHaveLength(4)
  })

  test('addresses with passwords are refused', async () => {
    const { port, paths } = await listen((_, response) => response.end())
    expect(await refusal(fetching(), showing(`http://me:pass@${here}:${port}/`))).toEqual([400, where, 'invalid_image_url'])
    expect(paths).toEqual([])
  })

  test('too large, said or found out; missing; cut off', async () => {
    const { port } = await listen((request, response) => {
      if (request.url === '/said') response.writeHead(200, { 'content-length': '2000000' }).write('x')
      else if (request.url === '/found') for (let i = 0; i < 64; i++) response.write(Buffer.alloc(65_536))
      else if (request.url === '/cut') response.writeHead(200, { 'content-length': '900' }).write('x', () => response.destroy())
      else response.writeHead(404).end()
    })
    const open = fetching({ limits: { imageBytes: 1_000_000 } })
    const why = { said: 'more than 1000000 bytes', found: 'more than 1000000 bytes', cut: 'cannot be fetched', missing: 'status 404' }
    for (const [path, words] of Object.entries(why)) {
      const { error } = await wire(ask(open, showing(`http://${here}:${port}/${path}`)))
      expect(error).toMatchObject({ param: where, code: 'invalid_image_url', message: expect.stringContaining(words) })
    }
  })

  test('that never come end in time; a client that leaves takes its fetch along', async () => {
    const gone = vi.fn()
    const { port, paths } = await listen((request) => request.socket.on('close', gone))
    expect(await refusal(fetching({ limits: { imageFetchMs: 1000 } }), showing(`http://${here}:${port}/`))).toEqual([400, where, 'invalid_image_url'])
    await poll(() => gone.mock.calls.length).toBe(1)
    const open = fetching({ limits: { running: 1 } })
    const left = new AbortController()
    const pending = ask(open, showing(`http://${here}:${port}/`), { signal: left.signal })
    await poll(() => paths.length).toBe(2)
    expect(open.load).toEqual({ running: 1, queued: 0 })
    left.abort()
    expect((await pending).status).toBe(499)
    await poll(() => gone.mock.calls.length).toBe(2)
    expect(open.load).toEqual({ running: 0, queued: 0 })
  })

  test('that only tokens are asked of, are fetched for so many at a time too', async () => {
    const { port, paths } = await listen(() => {})
    const open = fetching({ limits: { running: 1, queued: 0 } })
    const body = { messages: showing(`http://${here}:${port}/`)['messages'] }
    const left = new AbortController()
    const pending = ask(open, body, { path: '/tokenize', signal: left.signal })
    await poll(() => paths.length).toBe(1)
    expect((await ask(open, body, { path: '/tokenize' })).status).toBe(429)
    left.abort()
    expect((await pending).status).toBe(499)
    expect((await ask(open, { messages: shown(png)['messages'] }, { path: '/tokenize' })).status).toBe(200)
    expect(paths).toHaveLength(1)
  })
})
