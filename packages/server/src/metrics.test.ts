import { expect, test } from 'vitest'
import { createApp } from './app.ts'
import type { AccessEntry } from './exchange.ts'
import { ask, endless, loadDemo, poll, question, readChunks, wire } from './server.testing.ts'

test('metrics and the access log tell what happened', async () => {
  await using gemma = await loadDemo()
  const entries: AccessEntry[] = []
  const app = createApp(gemma, { onRequest: (entry) => entries.push(entry), limits: { running: 1 } })
  const scrape = async (): Promise<(line: string) => number | undefined> => {
    const response = await app.fetch(new Request('http://localhost/metrics'))
    expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/)
    const lines = (await response.text()).split('\n')
    return (name) => {
      const line = lines.find((each) => each.startsWith(`${name} `))
      return line === undefined ? undefined : Number(line.slice(name.length + 1))
    }
  }
  const before = await scrape()
  expect([before('facet_generated_tokens_total'), before('facet_answers_running')]).toEqual([0, 0])

  const first = await wire(ask(app, question()))
  const { chunks } = await readChunks(await ask(app, { ...question(), stream: true, stream_options: { include_usage: true } }))
  await ask(app, { ...question(), temperature: 'hot' })
  await app.fetch(new Request('http://localhost/somewhere/else'))
  await app.fetch(new Request('http://localhost/v1/models/other'))
  const left = new AbortController()
  const streamed = await ask(app, { ...question(), ...endless, stream: true }, { signal: left.signal })
  const waiting = ask(app, { prompt: 'The', max_tokens: 1 }, { path: '/v1/completions' })
  await poll(() => app.load.queued).toBe(1)
  const during = await scrape()
  expect([during('facet_answers_running'), during('facet_answers_queued')]).toEqual([1, 1])
  left.abort()
  await streamed.text()
  const third = await wire(waiting)

  const usages = [first.usage, chunks.at(-1)?.usage, third.usage].map((usage) => usage ?? { prompt_tokens: NaN, completion_tokens: NaN, prompt_tokens_details: { cached_tokens: NaN } })
  const sum = (of: (usage: (typeof usages)[number]) => number): number => usages.reduce((total, usage) => total + of(usage), 0)
  const after = await scrape()
  const count = (route: string, status: number, method = 'POST'): number | undefined => after(`facet_requests_total{method="${method}",route="${route}",status="${status}"}`)
  expect([count('/v1/chat/completions', 200), count('/v1/chat/completions', 400), count('/v1/chat/completions', 499), count('/v1/completions', 200), count('unknown', 404, 'GET'), count('/v1/models/:id', 404, 'GET')]).toEqual([2, 1, 1, 1, 1, 1])
  expect(after('facet_prompt_tokens_total')).toBe(sum((usage) => usage.prompt_tokens))
  expect(after('facet_cached_prompt_tokens_total')).toBe(sum((usage) => usage.prompt_tokens_details.cached_tokens))
  expect(after('facet_generated_tokens_total')).toBe(sum((usage) => usage.completion_tokens))
  expect(after('facet_time_to_first_token_seconds_count')).toBe(3)
  expect(after('facet_time_per_token_seconds_count')).toBe(2) // of one token there is no next
  expect(after('facet_queue_duration_seconds_count')).toBe(3)
  expect(after('facet_queue_duration_seconds_sum')).toBeGreaterThan(0)
  expect(after('facet_request_duration_seconds_count{route="/v1/chat/completions"}')).toBe(4)
  expect([after('facet_answers_running'), after('facet_answers_queued')]).toEqual([0, 0])
  expect(after('process_resident_memory_bytes')).toBeGreaterThan(1e6)

  const told = entries.filter(({ route }) => route !== '/metrics')
  expect(told.map(({ method, route, status, error }) => [method, route, status, error])).toEqual([
    ['POST', '/v1/chat/completions', 200, undefined],
    ['POST', '/v1/chat/completions', 200, undefined],
    ['POST', '/v1/chat/completions', 400, 'invalid_type'],
    ['GET', 'unknown', 404, undefined],
    ['GET', '/v1/models/:id', 404, 'model_not_found'],
    ['POST', '/v1/chat/completions', 499, 'client_closed_request'],
    ['POST', '/v1/completions', 200, undefined],
  ])
  expect(told[0]?.usage).toMatchObject({ promptTokens: first.usage?.prompt_tokens, generatedTokens: first.usage?.completion_tokens })
  expect(new Set(entries.map(({ id }) => id)).size).toBe(entries.length)
  // Another server in the same process counts for itself.
  expect(await (await createApp(gemma).fetch(new Request('http://localhost/metrics'))).text()).toContain('facet_generated_tokens_total 0')
})
