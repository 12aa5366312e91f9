import { afterEach, expect, test, vi } from 'vitest'
import { addressOf } from './url-address.ts'

afterEach(() => vi.unstubAllGlobals())

test('a URL without a host, as Next.js makes them, counts from the page', () => {
  const bare: URL = Object.create(URL.prototype, { href: { value: '/_next/static/media/model.gguf' } })
  expect(addressOf(bare)).toBe('/_next/static/media/model.gguf') // in Node
  vi.stubGlobal('location', new URL('https://example.com/chat/page'))
  expect(addressOf(bare)).toBe('https://example.com/_next/static/media/model.gguf')
  expect(addressOf(new URL('hf:owner/repository'))).toBe('hf:owner/repository')
})
