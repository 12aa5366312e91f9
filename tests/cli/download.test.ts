/** The real program against an imitated hub. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { type HubServer, startHub } from '../../packages/core/src/hub/hub-server.testing.ts'
import { facet, start } from '../../packages/cli/src/facet.testing.ts'

const commit = 'fedcba9876543210fedcba9876543210fedcba98'
const demo = fileURLToPath(new URL('../../packages/demo-model/model/demo-q8_0.gguf', import.meta.url))
const model = 'hf:facet/demo/demo-q8_0.gguf'

interface World {
  readonly hub: HubServer
  readonly env: Readonly<Record<string, string>>
  readonly bytes: Uint8Array
  /** Where the model lies. */
  readonly file: string
}

async function startWorld(token?: string): Promise<World> {
  const bytes = new Uint8Array(await readFile(demo))
  const hub = await startHub({ repository: 'facet/demo', commit, files: new Map([['demo-q8_0.gguf', bytes]]), ...(token !== undefined && { token }) })
  const home = await mkdtemp(join(tmpdir(), 'facet-home-'))
  onTestFinished(async () => {
    await hub.close()
    await rm(home, { recursive: true })
  })
  return { hub, env: { FACET_HOME: home, HF_ENDPOINT: hub.endpoint, HF_TOKEN: '' }, bytes, file: join(home, 'hf', 'facet', 'demo', commit, 'demo-q8_0.gguf') }
}

test('pull, run without network, list, verify, repair, delete', async () => {
  const { hub, env, bytes, file } = await startWorld()
  const pulled = await facet(['pull', model], '', env)
  expect(pulled).toMatchObject({ code: 0, stdout: '', stderr: expect.stringMatching(new RegExp(`^hf:facet/demo@${commit}: 1.75 MB, complete and checked, in `)) })
  expect((await readFile(file)).equals(bytes)).toBe(true)
  const asked = hub.requests.length
  const answered = await facet(['run', '--model', model, '--temperature', '0', '--quiet', 'Count to 5.'], '', env)
  expect(answered).toEqual({ code: 0, stdout: '1, 2, 3, 4, 5.\n', stderr: '' })
  expect(hub.requests.length).toBe(asked)

  const { stdout } = await facet(['models'], '', env)
  expect(stdout).toMatch(new RegExp(`^hf:facet/demo@${commit}  last used \\d{4}-\\d\\d-\\d\\d\n  demo-q8_0.gguf  1.75 MB\n$`))
  expect(JSON.parse((await facet(['models', 'list', '--json'], '', env)).stdout)).toMatchObject([{ addresses: [model] }])

  const damaged = Uint8Array.from(bytes)
  damaged[4321] ^= 1
  await writeFile(file, damaged)
  expect(await facet(['models', 'verify', 'hf:facet/demo'], '', env)).toMatchObject({ code: 1, stdout: expect.stringMatching(/demo-q8_0.gguf  damaged \(1.75 MB\)\n$/) })
  expect(await facet(['models', 'verify', '--repair', 'hf:facet/demo'], '', env)).toMatchObject({ code: 0, stdout: expect.stringMatching(/repaired/) })
  expect((await readFile(file)).equals(bytes)).toBe(true)

  expect(await facet(['models', 'delete', 'hf:facet/demo'], '', env)).toMatchObject({ code: 0, stderr: '1.75 MB deleted\n' })
  expect((await facet(['models', 'delete', 'hf:facet/demo'], '', env)).code).toBe(1)
})

test('describe and tokenize keep nothing of a model on the hub', async () => {
  const { env } = await startWorld()
  expect((await facet(['describe', 'hf:facet/demo'], '', env)).stdout).toContain('Facet demo shapes')
  // HF transformers' ids, as in facet.test.ts
  expect(JSON.parse((await facet(['tokenize', '--model', model, '--text', 'What is the opposite of night?'], '', env)).stdout)).toEqual([405, 376, 369, 546, 491, 961])
  expect((await facet(['models'], '', env)).stdout).toBe('')
})

test('Ctrl-C ends a download with 130; run --model hf: downloads what is not there', async () => {
  const { hub, env } = await startWorld()
  hub.fault = ({ host }) => (host === 'cdn' ? { kind: 'slow', ms: 50 } : undefined)
  const { child, outcome } = start(['pull', model], env)
  await expect.poll(() => hub.sentBytes, { timeout: 20_000 }).toBeGreaterThan(0)
  child.kill('SIGINT')
  const { code, stderr } = await outcome
  expect([code, stderr]).toEqual([130, 'facet: Stopped by Ctrl-C. What has arrived is kept: the same command goes on from there.\n'])
  hub.fault = () => undefined
  const answered = await facet(['run', '--model', 'hf:facet/demo', '--temperature', '0', '--quiet', 'Count to 5.'], '', env)
  expect(answered).toEqual({ code: 0, stdout: '1, 2, 3, 4, 5.\n', stderr: '' })
})

test('a gated model says where its licence is; HF_TOKEN opens it', async () => {
  const { env } = await startWorld('hf_mine')
  expect(await facet(['pull', model], '', env)).toMatchObject({ code: 1, stderr: expect.stringMatching(/Accept the licence at https:\/\/huggingface.co\/facet\/demo, then .* set HF_TOKEN/) })
  expect((await facet(['pull', model], '', { ...env, HF_TOKEN: 'hf_mine' })).code).toBe(0)
})
