import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { demoModel } from '@facetjs/demo-model'
import { describe, expect, test } from 'vitest'
import { facet, type Running, start } from './facet.testing.ts'

// HF transformers 5.18, greedy, over the demo model's GGUF.
const night = { question: 'What is the opposite of night?', answer: 'The opposite of night is day.' }
const count = { question: 'Count to 5.', answer: '1, 2, 3, 4, 5.' }
/** `<eos>` and `<end_of_turn>`: an answer without them goes on to its limit. */
const withoutEnd = { 1: -100, 6: -100 }
const manyTokens = 2000

interface Served extends Running {
  readonly url: string
}

/** `facet serve` with the demo model, once it listens. */
async function startServer(args: readonly string[] = [], env: Readonly<Record<string, string>> = {}): Promise<Served> {
  const running = start(['serve', '--port', '0', '--numerics', 'exact', ...args], { FACET_API_KEYS: '', ...env })
  running.child.stdin.end()
  await running.seen('stderr', ' listens at ')
  await running.seen('stderr', '\n')
  return { ...running, url: / listens at (\S+)/.exec(running.said.stderr)?.[1] ?? '' }
}

async function ask(url: string, body: Readonly<Record<string, unknown>>, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
  return await fetch(`${url}/v1/chat/completions`, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify({ messages: [{ role: 'user', content: night.question }], ...body }) })
}

async function modelOf(url: string): Promise<string> {
  const { data }: { readonly data: readonly { readonly id: string }[] } = await (await fetch(`${url}/v1/models`)).json()
  return data[0]?.id ?? ''
}

async function contentOf(response: Response): Promise<string> {
  const { choices }: { readonly choices: readonly { readonly message: { readonly content: string } }[] } = await response.json()
  return choices[0]?.message.content ?? ''
}

/** An answer of many tokens, of which something has come. */
async function startLongAnswer(url: string): Promise<{ readonly rest: () => Promise<string> }> {
  const { body } = await ask(url, { model: await modelOf(url), stream: true, temperature: 1, max_completion_tokens: manyTokens, logit_bias: withoutEnd })
  const reader = (body ?? new ReadableStream<Uint8Array>()).getReader()
  const decoder = new TextDecoder()
  const { value } = await reader.read()
  let text = decoder.decode(value, { stream: true })
  return {
    async rest() {
      for (;;) {
        const { done, value: bytes } = await reader.read()
        if (done) return text
        text += decoder.decode(bytes, { stream: true })
      }
    },
  }
}

describe('facet serve', () => {
  test('says where it listens, answers, tells of each request, and ends with 0 on SIGTERM', async () => {
    const { child, outcome, seen, said, url } = await startServer(['--temperature', '0', '--name', 'demo'])
    await seen('stderr', 'Try: curl ')
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
    expect(said.stderr).toMatch(/^Memory: \S+ [kM]B for the model, \S+ MB for pictures, and up to 8 conversations of (\S+) [kM]B each, \S+ MB together$/m)
    expect(said.stderr).not.toContain('Warning')
    expect(await modelOf(url)).toBe('demo')
    expect(await contentOf(await ask(url, { model: 'demo' }))).toBe(night.answer) // greedy by --temperature
    await seen('stderr', 'POST /v1/chat/completions 200 · ')
    expect(said.stderr).toMatch(/^GET \/v1\/models 200 · \d+ ms\nPOST \/v1\/chat\/completions 200 · 15 \+ 7 tokens · [\d,]+ ms$/m)
    child.kill('SIGTERM')
    expect(await outcome).toMatchObject({ code: 0, stdout: '' })
  })

  test('the curl line works as it is printed', async () => {
    const { child, outcome, said, seen } = await startServer(['--temperature', '0', '--name', "it's"])
    await seen('stderr', 'Try: curl ')
    await seen('stderr', '\n')
    const line = /^Try: (curl .*)$/m.exec(said.stderr)?.[1] ?? ''
    const { stdout } = await promisify(execFile)('/bin/sh', ['-c', `${line} -s`])
    expect(JSON.parse(stdout)).toMatchObject({ model: "it's", choices: [{ message: { role: 'assistant' } }] })
    child.kill('SIGTERM')
    await outcome
  })

  test.each(['SIGINT', 'SIGTERM'] as const)('%s lets running answers end; whoever comes then is turned away', async (signal) => {
    const { child, outcome, seen, url } = await startServer(['--quiet'])
    const answer = await startLongAnswer(url)
    child.kill(signal)
    await seen('stderr', '1 answer is still being given')
    const late = await ask(url, { model: 'any' }).then(({ status }) => status, () => 'refused')
    expect([503, 'refused']).toContain(late)
    const events = await answer.rest()
    expect(events).toMatch(/"finish_reason":"length"[^]*data: \[DONE\]\n\n$/)
    expect((await outcome).code).toBe(0)
  })

  test('a second Ctrl-C ends it at once', async () => {
    const { child, outcome, seen, url } = await startServer()
    const answer = await startLongAnswer(url)
    child.kill('SIGINT')
    await seen('stderr', '1 answer is still being given')
    child.kill('SIGINT')
    expect((await outcome).code).toBe(130)
    expect(await answer.rest().catch(() => 'cut')).not.toContain('[DONE]')
  })

  test('keys from the environment, and who is beyond this machine without any is warned of', async () => {
    const guarded = await startServer(['--quiet'], { FACET_API_KEYS: 'one, two' })
    const statuses = await Promise.all([undefined, 'Bearer three', 'Bearer two'].map(async (authorization) => (await fetch(`${guarded.url}/v1/models`, { headers: authorization === undefined ? {} : { authorization } })).status))
    expect(statuses).toEqual([401, 401, 200])
    expect(guarded.said.stderr).not.toMatch(/one|two/)
    const open = await startServer(['--host', '0.0.0.0', '--quiet'])
    await open.seen('stderr', 'there is no key. Give one with FACET_API_KEYS or --api-key, or listen on 127.0.0.1.\n')
  })

  test('a port in use: what to do', async () => {
    const other = createServer()
    other.listen(0, '127.0.0.1')
    await once(other, 'listening')
    const address = other.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    expect(await facet(['serve', '--port', String(port)])).toEqual({ code: 1, stdout: '', stderr: expect.stringMatching(new RegExp(`^facet: .*${port}.*in use[^\\n]*\\n$`)) })
    other.close()
  })
})

describe('--remote', () => {
  test("run and chat: the server's answers, to words and to a picture", async () => {
    const { url, said } = await startServer()
    const picture = fileURLToPath(demoModel.picture)
    const expected: { readonly rows: readonly { readonly turns: readonly { readonly question: string; readonly picture: string | null }[]; readonly gguf: { readonly text: string } }[] } = JSON.parse(await readFile(new URL('../../core/fixtures/demo/images-expected.json', import.meta.url), 'utf8'))
    const seen = expected.rows.find(({ turns }) => turns.length === 1 && turns[0]?.picture === '001.png' && turns[0].question === 'Describe the image.')
    const words = await facet(['run', '--remote', url, night.question])
    expect(words).toMatchObject({ code: 0, stdout: `${night.answer}\n`, stderr: expect.stringMatching(/^7 tokens · .* · prompt 15 tokens.* · stop\n$/) })
    expect(await facet(['run', '--remote', `${url}/v1`, '--quiet', '--image', picture, 'Describe the image.'])).toEqual({ code: 0, stdout: `${seen?.gguf.text}\n`, stderr: '' })
    const talk = await facet(['chat', '--remote', url], `${count.question}\n/image ${picture}\nDescribe the image.\n/reset\n${night.question}\n/context\n`)
    expect(talk.stderr).toMatch(/^\d+ of 8,192 tokens/m)
    expect(talk).toMatchObject({ code: 0, stdout: expect.stringMatching(new RegExp(`^1, 2, 3, 4, 5\\.\n.+\n${night.answer}\n$`)) })
    expect(said.stderr.match(/POST \/v1\/chat\/completions 200/g)).toHaveLength(5)
  })

  test('Ctrl-C stops the answer, here and there', async () => {
    const { url, said } = await startServer()
    const { child, outcome, seen } = start(['run', '--remote', url, '--temperature', '1000', '--top-k', '0', '--top-p', '1', '--seed', '8', 'Hi'])
    child.stdin.end()
    await once(child.stdout, 'data')
    child.kill('SIGINT')
    await seen('stderr', ' · stopped\n')
    expect((await outcome).code).toBe(130)
    await expect.poll(() => said.stderr, { timeout: 10_000 }).toContain('POST /v1/chat/completions 499')
  })

  test('a key from the environment; a wrong one, an unknown model and a server that is not there are told', async () => {
    const { url, child, outcome } = await startServer(['--quiet'], { FACET_API_KEYS: 'the-right-key' })
    const run = ['run', '--remote', url, '--quiet', night.question]
    expect(await facet(run, '', { FACET_API_KEY: 'the-right-key' })).toEqual({ code: 0, stdout: `${night.answer}\n`, stderr: '' })
    const wrong = await facet([...run, '--api-key', 'the-wrong-key'])
    expect(wrong).toEqual({ code: 1, stdout: '', stderr: expect.stringMatching(/^facet: .*401.*\n$/) })
    expect(wrong.stderr).not.toContain('the-wrong-key')
    expect(await facet([...run, '--model', 'nobody'], '', { FACET_API_KEY: 'the-right-key' })).toEqual({ code: 1, stdout: '', stderr: expect.stringMatching(/^facet: .*nobody.*\n$/) })
    child.kill('SIGTERM')
    await outcome
    expect(await facet(run)).toEqual({ code: 1, stdout: '', stderr: expect.stringMatching(/^facet: .*cannot be reached.*\n$/) })
  })

  test('what is for a server only needs one', async () => {
    for (const flags of [['--api-key', 'k'], ['--size', '4b']]) expect(await facet(['run', ...flags, 'Hi'])).toEqual({ code: 2, stdout: '', stderr: expect.stringMatching(/^facet: .*--remote URL/) })
  })
})
