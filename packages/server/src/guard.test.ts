import type { Gemma } from '@facetjs/core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createApp } from './app.ts'
import { isLoopback } from './host.ts'
import type { AppOptions } from './options.ts'
import { ask, loadDemo, openServer, question, wire } from './server.testing.ts'

let gemma: Gemma
beforeAll(async () => {
  gemma = await loadDemo()
})
afterAll(() => gemma.dispose())

function get(options: AppOptions, path: string, init: RequestInit = {}): Response | Promise<Response> {
  return createApp(gemma, options).fetch(new Request(`http://localhost${path}`, init))
}

describe('API keys', () => {
  const options: AppOptions = { apiKeys: ['sk-one', 'sk-two'] }

  test.each([undefined, '', 'Bearer', 'Bearer ', 'Bearer sk-three', 'Bearer sk-on', 'Bearer sk-one2', 'Basic sk-one', 'sk-one', 'Bearer sk-one sk-two', 'Bearer sk-one,'])('%j opens nothing', async (authorization) => {
    const headers = authorization === undefined ? {} : { authorization }
    const response = await ask(createApp(gemma, options), question(), { headers })
    expect([response.status, response.headers.get('www-authenticate')]).toEqual([401, 'Bearer'])
    expect((await wire(response)).error).toMatchObject({ type: 'invalid_request_error', code: 'invalid_api_key' })
  })

  test.each(['Bearer sk-one', 'Bearer sk-two', 'bearer  sk-one'])('%j opens all', async (authorization) => {
    for (const path of ['/v1/models', '/metrics']) expect((await get(options, path, { headers: { authorization } })).status).toBe(200)
    expect((await ask(createApp(gemma, options), { ...question(), max_tokens: 1 }, { headers: { authorization } })).status).toBe(200)
  })

  test('only the health is open to all', async () => {
    for (const path of ['/v1/models', '/metrics', '/v1/models/x', '/nothing', '/']) expect([path, (await get(options, path)).status]).toEqual([path, 401])
    expect((await get(options, '/health')).status).toBe(200)
  })
})

describe('CORS', () => {
  const origin = 'https://app.example'
  const preflight = { method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization,content-type' } }

  test('is off unless told', async () => {
    for (const response of [await get({}, '/v1/models', { headers: { origin } }), await get({}, '/v1/chat/completions', preflight)]) {
      expect([...response.headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([])
    }
  })

  test.each([
    [[origin], origin],
    [['*'], '*'],
    [['https://other.example'], null],
  ])('%j', async (cors, allowed) => {
    const response = await get({ cors, apiKeys: ['k'] }, '/v1/chat/completions', preflight)
    expect(response.status).toBe(204) // without a key: browsers send none
    expect(response.headers.get('access-control-allow-origin')).toBe(allowed)
    expect(response.headers.get('access-control-allow-headers')?.split(',')).toEqual(['authorization', 'content-type'])
    expect(response.headers.get('access-control-allow-methods')).toContain('POST')
    // Errors too: a page that may not read them knows nothing.
    const refused = await get({ cors, apiKeys: ['k'] }, '/v1/models', { headers: { origin } })
    expect([refused.status, refused.headers.get('access-control-allow-origin')]).toEqual([401, allowed])
    const streamed = await ask(createApp(gemma, { cors }), { ...question(), stream: true, max_tokens: 1 }, { headers: { origin } })
    expect([streamed.status, streamed.headers.get('access-control-allow-origin')]).toEqual([200, allowed])
    await streamed.text()
  })
})

describe('names of this machine', () => {
  test.each(['localhost', 'LOCALHOST', 'facet.localhost', 'localhost.', '127.0.0.1', '127.9.9.9', '[::1]', '::1', '[::ffff:127.0.0.1]'])('%s is one', (name) => expect(isLoopback(name)).toBe(true))
  test.each(['', 'evil.example', 'localhost.evil.example', '127.0.0.1.evil.example', '10.0.0.1', '0.0.0.0', '[::2]'])('%s is none', (name) => expect(isLoopback(name)).toBe(false))

  test('a page whose name was made to point here gets nothing', async () => {
    const { request } = await import('node:http')
    const statusOf = (url: string, host: string): Promise<number | undefined> =>
      new Promise((resolve, reject) => {
        request(`${url}/v1/models`, { headers: { host } }, (response) => resolve(response.resume().statusCode)).on('error', reject).end()
      })
    const { url } = await openServer(gemma)
    const { port } = new URL(url)
    expect(await statusOf(url, `evil.example:${port}`)).toBe(403)
    for (const name of ['localhost', '127.0.0.1', '[::1]']) expect(await statusOf(url, `${name}:${port}`)).toBe(200)
    // A key is proof enough.
    expect(await statusOf((await openServer(gemma, { apiKeys: ['k'] })).url, 'facet.example')).toBe(401)
    expect(await statusOf((await openServer(gemma, { hostname: '0.0.0.0' })).url.replace('0.0.0.0', '127.0.0.1'), 'facet.example')).toBe(200)
  })
})
