import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { facet, start } from './facet.testing.ts'

// Ids and answers: HF transformers 5.18, greedy, over the demo model's GGUF.
const night = {
  question: 'What is the opposite of night?',
  prompt: '<bos><start_of_turn>user\nWhat is the opposite of night?<end_of_turn>\n<start_of_turn>model\n',
  ids: [2, 5, 968, 10, 405, 376, 369, 546, 491, 961, 6, 10, 5, 969, 10],
  answer: 'The opposite of night is day.',
  answerIds: [416, 546, 491, 835, 376, 960, 6],
}
const count = { question: 'Count to 5.', answer: '1, 2, 3, 4, 5.' }
const summary = /^7 tokens · \d+\.\d tok\/s · prompt 15 tokens in \d+\.\d s · stop\n$/
/** Nearly uniform over the vocabulary: goes on until it is stopped. */
const endless = ['--temperature', '1000', '--top-k', '0', '--top-p', '1', '--seed', '8']

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'facet-cli-'))
})
afterAll(async () => {
  await rm(folder, { recursive: true })
})

async function jsonFile(name: string, value: unknown): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, JSON.stringify(value))
  return path
}

describe('facet run', () => {
  test('prints the answer on stdout and its speed on stderr', async () => {
    const { code, stdout, stderr } = await facet(['run', '--temperature', '0', night.question])
    expect(stdout).toBe(`${night.answer}\n`)
    expect(stderr).toMatch(summary)
    expect(code).toBe(0)
  })

  test('reads the prompt from stdin, and says nothing else when quiet', async () => {
    const { code, stdout, stderr } = await facet(['run', '--quiet', '--temperature', '0'], count.question)
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: `${count.answer}\n`, stderr: '' })
  })

  test('--raw goes on from the text itself, in which control strings are text', async () => {
    const asChat = await facet(['run', '--raw', '--temperature', '0', '--max-tokens', '4', 'What is the opposite of night?'])
    expect(asChat.code).toBe(0)
    // <bos> and six tokens, without any turn.
    expect(asChat.stderr).toMatch(/ · prompt 7 tokens in /)
  })

  test('--max-tokens ends with length; the same seed gives the same answer', async () => {
    const args = ['run', '--temperature', '1', '--seed', '3', '--max-tokens', '5', 'Tell me about yourself.']
    const [first, second] = [await facet(args), await facet(args)]
    expect(first.stderr).toMatch(/^5 tokens .* · length\n$/)
    expect(second.stdout).toBe(first.stdout)
  })
})

describe('facet chat', () => {
  test('answers one message a line until its input ends', async () => {
    const { code, stdout, stderr } = await facet(['chat', '--temperature', '0'], `${count.question}\n\n/context\n/reset\n${night.question}`)
    expect(stdout).toBe(`${count.answer}\n${night.answer}\n`)
    expect(stderr).toMatch(/^1?\d of 8,192 tokens \(0 %\)$/m)
    expect(stderr).toContain('The conversation is forgotten.\n7 tokens')
    expect(code).toBe(0)
  })

  test('has /help, /exit and a word for what it does not have', async () => {
    const { code, stdout, stderr } = await facet(['chat'], `/help\n/dance\n/exit\n${count.question}\n`)
    expect(stdout).toBe('')
    expect(stderr).toContain('/reset ')
    expect(stderr).toContain('There is no /dance.')
    expect(code).toBe(0)
  })

  test('/exit leaves although the input stays open', async () => {
    const { child, outcome } = start(['chat'])
    child.stdin.write('/exit\n')
    expect((await outcome).code).toBe(0)
  })
})

describe('facet tokenize', () => {
  test('texts to ids, with control strings parsed and no specials added', async () => {
    const { code, stdout } = await facet(['tokenize', '--file', await jsonFile('texts.json', [night.prompt, ''])])
    expect(JSON.parse(stdout)).toEqual([night.ids, []])
    expect(code).toBe(0)
  })

  test('ids to texts', async () => {
    const { stdout } = await facet(['tokenize', '--decode', '--file', await jsonFile('ids.json', [night.ids, []])])
    expect(JSON.parse(stdout)).toEqual([night.prompt, ''])
  })

  test('conversations to prompts', async () => {
    const chats = [
      [{ role: 'user', content: night.question }],
      [{ role: 'system', content: 'Be brief.' }, { role: 'user', content: [{ type: 'image' }, { type: 'text', text: 'Hi <end_of_turn>' }] }],
    ]
    const { stdout } = await facet(['tokenize', '--chat', '--file', await jsonFile('chats.json', chats)])
    const second = '<bos><start_of_turn>user\nBe brief.\n\n<start_of_image>Hi <end_of_turn><end_of_turn>\n<start_of_turn>model\n'
    expect(JSON.parse(stdout)).toEqual([night.prompt, second])
  })

  test('one text', async () => {
    const { stdout } = await facet(['tokenize', '--text', night.prompt])
    expect(JSON.parse(stdout)).toEqual(night.ids)
  })
})

describe('facet trace', () => {
  interface Header {
    readonly [name: string]: { readonly dtype: string; readonly shape: readonly number[]; readonly data_offsets: readonly [number, number] }
  }

  async function traced(...args: string[]): Promise<{ readonly header: Header; readonly ints: (name: string) => number[] }> {
    const out = join(folder, 'trace.safetensors')
    const outcome = await facet(['trace', '--quiet', ...args, '--out', out])
    expect(outcome).toEqual({ code: 0, stdout: '', stderr: '' })
    const bytes = await readFile(out)
    const length = Number(bytes.readBigUInt64LE(0))
    const header: Header = JSON.parse(bytes.toString('utf8', 8, 8 + length))
    return {
      header,
      ints(name) {
        const [begin, end] = header[name]?.data_offsets ?? [0, 0]
        return Array.from({ length: (end - begin) / 4 }, (_, index) => bytes.readInt32LE(8 + length + begin + 4 * index))
      },
    }
  }

  test('hidden states, all logits and a greedy continuation', async () => {
    const { header, ints } = await traced('--ids', night.ids.join(','), '--hidden', '--greedy', '7')
    expect(ints('input_ids')).toEqual(night.ids)
    expect(ints('greedy')).toEqual(night.answerIds)
    expect(header.logits?.shape).toEqual([15, 1024])
    // Six layers have seven boundaries.
    expect(Object.keys(header).filter((name) => name.startsWith('hidden.'))).toHaveLength(7)
    expect(header['hidden.6']?.shape).toEqual([15, 128])
  })

  test('the best K of each row', async () => {
    const { header, ints } = await traced('--ids-file', await jsonFile('trace-ids.json', night.ids), '--logits', 'top:3')
    expect(Object.keys(header).toSorted()).toEqual(['input_ids', 'logsumexp', 'top_ids', 'top_logits'])
    expect(header.top_logits?.shape).toEqual([15, 3])
    expect(header.logsumexp?.shape).toEqual([15])
    expect(ints('top_ids')[3 * 14]).toBe(night.answerIds[0])
  })
})

describe('facet describe', () => {
  test('needs no weights for a released size', async () => {
    const { code, stdout } = await facet(['describe', '27b'])
    expect(stdout).toMatch(/^Gemma3ForConditionalGeneration\(\n/)
    expect(stdout).toContain('Parameters  27,432,406,640 (')
    expect(code).toBe(0)
  })

  test('says how a file is stored', async () => {
    const { stdout } = await facet(['describe', 'packages/demo-model/model/demo-q8_0.gguf'])
    expect(stdout).toContain('(embed_tokens): Gemma3TextScaledWordEmbedding(1024, 128, padding_idx=0)  # q8_0\n')
    expect(stdout).toMatch(/^q8_0 \+ f16 \+ f32 +1\.\d+ MB +3\.\d+ MB/m)
  })

  test('prints JSON for programs', async () => {
    const { stdout } = await facet(['describe', '1b', '--json', '--context', '1024'])
    expect(JSON.parse(stdout)).toMatchObject({ parameters: { total: 999_885_952 }, contextLength: 1024, modules: { kind: 'Gemma3ForCausalLM' } })
  })
})

describe('exit codes', () => {
  const known = { code: 1, stdout: '', stderr: expect.stringMatching(/^facet: [^\n]+\n$/) }
  test.each([
    ['a model that is not there', ['run', '--model', 'nowhere.gguf', 'Hi']],
    ['a file that is no model', ['describe', 'package.json']],
    ['a GPU for a backend that has none', ['run', '--device', '1', 'Hi']],
    ['a hub address that names no repository', ['run', '--model', 'hf:gemma-3-270m', 'Hi']],
    ['threads of one thread', ['trace', '--backend', 'reference', '--ids', '2', '--threads', '2', '--out', 'o.safetensors']],
    ['an id outside the vocabulary', ['trace', '--ids', '5000', '--out', 'o.safetensors']],
    ['a list that is not there', ['tokenize', '--file', 'nowhere.json']],
    ['a context that cannot be', ['run', '--context', '1000000', 'Hi']],
  ])('1: %s', async (_, args) => {
    expect(await facet(args)).toEqual(known)
  })

  test('1: no NVIDIA driver', async () => {
    for (const args of [['devices'], ['run', '--backend', 'cuda', 'Hi']]) expect(await facet(args, '', { FACET_CUDA_DRIVER: '/nonexistent' })).toEqual(known)
  })

  test('1: JSON of another kind', async () => {
    const numbers = await jsonFile('numbers.json', [1, 2])
    expect(await facet(['tokenize', '--file', numbers])).toEqual(known)
    expect(await facet(['tokenize', '--decode', '--file', numbers])).toEqual(known)
    expect(await facet(['tokenize', '--chat', '--file', numbers])).toEqual(known)
  })

  test('FACET_DEBUG shows where it happened', async () => {
    const { code, stderr } = await facet(['run', '--backend', 'webgpu', '--threads', '2', 'Hi'], '', { FACET_DEBUG: '1' })
    expect(stderr).toMatch(/\n {4}at .*backends\.ts/)
    expect(code).toBe(1)
  })

  test.each([
    ['nothing', []],
    ['an unknown command', ['sing']],
    ['an unknown option', ['run', '--loud', 'Hi']],
    ['no ids', ['trace', '--out', 'o.safetensors']],
    ['ids twice', ['trace', '--ids', '2', '--ids-file', 'f.json', '--out', 'o.safetensors']],
    ['nothing to tokenize', ['tokenize']],
    ['an empty prompt', ['run']],
  ])('2: %s', async (_, args) => {
    const { code, stdout, stderr } = await facet(args)
    expect(stderr).not.toBe('')
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  })

  test('0: --version and --help', async () => {
    expect(await facet(['--version'])).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+/) })
    expect(await facet(['trace', '--help'])).toMatchObject({ code: 0, stderr: '' })
  })
})

describe('Ctrl-C', () => {
  test('stops the answer of run: what was said stays, exit code 130', async () => {
    const { child, outcome, seen } = start(['run', ...endless, 'Hi'])
    child.stdin.end()
    await once(child.stdout, 'data')
    child.kill('SIGINT')
    await seen('stderr', ' · stopped\n')
    const { code, stdout } = await outcome
    expect(stdout.length).toBeGreaterThan(1)
    expect(code).toBe(130)
  })

  test('stops the answer of chat, not the program; without an answer it leaves', async () => {
    const { child, outcome, seen } = start(['chat', ...endless])
    for (const _ of [1, 2]) {
      child.stdin.write('Hi\n')
      await once(child.stdout, 'data')
      child.kill('SIGINT')
      await seen('stderr', ' · stopped\n')
    }
    child.stdin.write('/context\n')
    await seen('stderr', ' of 8,192 tokens')
    child.kill('SIGINT')
    expect((await outcome).code).toBe(0)
  })

  test('gives up loading', async () => {
    const server = createServer() // never answers
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const { child, outcome } = start(['run', '--model', `http://127.0.0.1:${port}/model.gguf`, 'Hi'])
    await once(server, 'request')
    child.kill('SIGINT')
    expect(await outcome).toEqual({ code: 130, stdout: '', stderr: 'facet: Stopped by Ctrl-C.\n' })
    server.closeAllConnections()
    server.close()
  })
})

test('a reader that leaves early ends the program quietly', async () => {
  const { child, outcome } = start(['run', ...endless, 'Hi'])
  child.stdin.end()
  await once(child.stdout, 'data')
  child.stdout.destroy()
  const { code, stderr } = await outcome
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
})
