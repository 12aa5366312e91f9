import { CommanderError } from 'commander'
import { describe, expect, test } from 'vitest'
import type { Commands } from './program.ts'
import { createProgram } from './program.ts'

/** What the command line asks for: the command's name and the arguments that it would be called with. */
async function parse(...args: string[]): Promise<readonly unknown[]> {
  const calls: unknown[][] = []
  const record =
    (name: string) =>
    async (...given: unknown[]): Promise<void> => {
      calls.push([name, ...given])
    }
  const commands: Commands = {
    run: record('run'),
    chat: record('chat'),
    serve: record('serve'),
    describe: record('describe'),
    tokenize: record('tokenize'),
    trace: record('trace'),
    pull: record('pull'),
    listModels: record('listModels'),
    deleteModel: record('deleteModel'),
    verifyModel: record('verifyModel'),
    listDevices: record('listDevices'),
  }
  const program = createProgram(commands)
  for (const command of [program, ...program.commands, ...program.commands.flatMap(({ commands: inner }) => inner)]) command.configureOutput({ writeErr: () => {}, writeOut: () => {} })
  await program.parseAsync(['node', 'facet', ...args])
  expect(calls).toHaveLength(1)
  return calls[0] ?? []
}

describe('the forms that scripts use', () => {
  test('run', async () => {
    expect(await parse('run', 'Hi')).toEqual(['run', 'Hi', { backend: 'wasm' }])
    expect(await parse('run', '--model', 'm.gguf', '--raw', 'The capital of Japan is')).toEqual([
      'run',
      'The capital of Japan is',
      { backend: 'wasm', model: 'm.gguf', raw: true },
    ])
  })

  test('run and chat take the sampling and loading options', async () => {
    const flags = '--temperature 0.7 --top-k 40 --top-p 0.9 --min-p 0.05 --seed 7 --max-tokens 12 --context 2048 --backend wasm --numerics exact'.split(' ')
    const options = { temperature: 0.7, topK: 40, topP: 0.9, minP: 0.05, seed: 7, maxTokens: 12, context: 2048, backend: 'wasm', numerics: 'exact' }
    expect(await parse('run', ...flags, 'Hi')).toEqual(['run', 'Hi', options])
    expect(await parse('chat', ...flags, '--quiet')).toEqual(['chat', { ...options, quiet: true }])
  })

  test('run and chat take pictures', async () => {
    const flags = '--mmproj p.gguf --image-prompt google --pan-and-scan --show'.split(' ')
    const options = { mmproj: 'p.gguf', imagePrompt: 'google', panAndScan: true, show: true, backend: 'wasm' }
    expect(await parse('run', '--image', 'a.png', '--image', 'b.png', ...flags, 'Hi')).toEqual(['run', 'Hi', { ...options, image: ['a.png', 'b.png'] }])
    expect(await parse('chat', ...flags)).toEqual(['chat', options])
  })

  test('serve', async () => {
    const defaults = { backend: 'wasm', host: '127.0.0.1', port: 8000, parallel: 4, queue: 64 }
    expect(await parse('serve')).toEqual(['serve', defaults])
    const flags = '--model m.gguf --mmproj p.gguf --backend webgpu --numerics exact --context 4096 --image-prompt google --host 0.0.0.0 --port 0 --api-key a --api-key b --cors https://one.example --cors https://two.example --remote-images'
    const more = '--parallel 8 --queue 0 --keep 2 --max-body-mb 8 --name gemma --temperature 0 --top-k 40 --top-p 0.9 --min-p 0.1 --quiet'
    expect(await parse('serve', ...`${flags} ${more}`.split(' '))).toEqual(['serve', {
      model: 'm.gguf', mmproj: 'p.gguf', backend: 'webgpu', numerics: 'exact', context: 4096, imagePrompt: 'google', host: '0.0.0.0', port: 0, apiKey: ['a', 'b'], cors: ['https://one.example', 'https://two.example'], remoteImages: true,
      parallel: 8, queue: 0, keep: 2, maxBodyMb: 8, name: 'gemma', temperature: 0, topK: 40, topP: 0.9, minP: 0.1, quiet: true,
    }])
  })

  test('run and chat take a server', async () => {
    const flags = '--remote http://127.0.0.1:8000 --model gemma --api-key k --size 4b --context 2048'.split(' ')
    const options = { remote: 'http://127.0.0.1:8000', model: 'gemma', apiKey: 'k', size: '4b', context: 2048, backend: 'wasm' }
    expect(await parse('run', ...flags, 'Hi')).toEqual(['run', 'Hi', options])
    expect(await parse('chat', ...flags)).toEqual(['chat', options])
  })

  test('describe', async () => {
    expect(await parse('describe', 'm.gguf', '--mmproj', 'p.gguf')).toEqual(['describe', 'm.gguf', { mmproj: 'p.gguf' }])
    expect(await parse('describe', '27b', '--context', '131072', '--json')).toEqual(['describe', '27b', { context: 131072, json: true }])
  })

  test('tokenize', async () => {
    expect(await parse('tokenize', '--model', 'M', '--file', 'texts.json')).toEqual(['tokenize', { model: 'M', file: 'texts.json' }])
    expect(await parse('tokenize', '--model', 'M', '--file', 'ids.json', '--decode')).toEqual(['tokenize', { model: 'M', file: 'ids.json', decode: true }])
    expect(await parse('tokenize', '--model', 'M', '--chat', '--file', 'chats.json')).toEqual(['tokenize', { model: 'M', file: 'chats.json', chat: true }])
  })

  test('pull and models', async () => {
    expect(await parse('pull', 'hf:o/r')).toEqual(['pull', 'hf:o/r', { mmproj: true }])
    expect(await parse('pull', 'hf:o/r', '--no-mmproj', '--refresh', '-q')).toEqual(['pull', 'hf:o/r', { mmproj: false, refresh: true, quiet: true }])
    expect(await parse('models')).toEqual(['listModels', {}])
    expect(await parse('models', 'list', '--json')).toEqual(['listModels', { json: true }])
    expect(await parse('models', 'delete', 'hf:o/r')).toEqual(['deleteModel', 'hf:o/r'])
    expect(await parse('models', 'verify', 'hf:o/r', '--repair')).toEqual(['verifyModel', 'hf:o/r', { repair: true }])
  })

  test('devices', async () => {
    expect(await parse('devices')).toEqual(['listDevices', {}])
    expect(await parse('devices', '--json')).toEqual(['listDevices', { json: true }])
    expect(await parse('run', '--backend', 'cuda', '--device', '1', 'Hi')).toEqual(['run', 'Hi', { backend: 'cuda', device: 1 }])
  })

  test('trace', async () => {
    const flags = '--model M --ids 2,5,7 --backend cuda --numerics fast --threads 2 --greedy 8 --logits top:20 --hidden --out o.safetensors'.split(' ')
    const options = { model: 'M', ids: [2, 5, 7], backend: 'cuda', numerics: 'fast', threads: 2, greedy: 8, logits: 20, hidden: true, out: 'o.safetensors' }
    expect(await parse('trace', ...flags)).toEqual(['trace', options])
    const fewest = await parse('trace', '--ids-file', 'f.json', '--pixels', 'p.safetensors', '--mmproj', 'p.gguf', '--out', 'o')
    expect(fewest).toEqual(['trace', { idsFile: 'f.json', pixels: 'p.safetensors', mmproj: 'p.gguf', out: 'o', backend: 'wasm', numerics: 'exact', logits: 'all' }])
    expect(await parse('trace', '--ids', '2', '--logits', 'last', '--out', 'o')).toMatchObject(['trace', { logits: 'last' }])
  })
})

describe('what cannot be meant is a usage error', () => {
  test.each([
    ['an unknown command', ['sing']],
    ['an unknown option', ['run', '--loud', 'Hi']],
    ['an unknown image prompt', ['run', '--image-prompt', 'openai', 'Hi']],
    ['two prompts', ['run', 'Hi', 'there']],
    ['no model to describe', ['describe']],
    ['no model to download', ['pull']],
    ['no model to delete', ['models', 'delete']],
    ['an unknown backend', ['run', '--backend', 'abacus', 'Hi']],
    ['an unknown numerics', ['run', '--numerics', 'sloppy', 'Hi']],
    ['a temperature that is no number', ['run', '--temperature', 'hot', 'Hi']],
    ['a negative temperature', ['run', '--temperature=-1', 'Hi']],
    ['a top-p above 1', ['run', '--top-p', '1.5', 'Hi']],
    ['half a token', ['run', '--max-tokens', '1.5', 'Hi']],
    ['no tokens at all', ['run', '--max-tokens', '0', 'Hi']],
    ['a seed beyond 2^53', ['run', '--seed', '9007199254740993', 'Hi']],
    ['an empty number', ['run', '--top-p', '', 'Hi']],
    ['ids that are none', ['trace', '--ids', '2,x', '--out', 'o']],
    ['an id that is missing', ['trace', '--ids', '2,,7', '--out', 'o']],
    ['logits of a strange kind', ['trace', '--ids', '2', '--logits', 'top', '--out', 'o']],
    ['the best none', ['trace', '--ids', '2', '--logits', 'top:0', '--out', 'o']],
    ['a trace to nowhere', ['trace', '--ids', '2']],
    ['two ways to tokenize', ['tokenize', '--file', 'f', '--decode', '--chat']],
    ['one text to decode', ['tokenize', '--text', 'x', '--decode']],
    ['a port that cannot be', ['serve', '--port', '65536']],
    ['no answers at once', ['serve', '--parallel', '0']],
    ['a seed for all that is asked', ['serve', '--seed', '1']],
    ['an unknown size', ['run', '--remote', 'http://127.0.0.1:8000', '--size', '2b', 'Hi']],
    ...[['--backend', 'wasm'], ['--threads', '2'], ['--device', '0'], ['--numerics', 'exact'], ['--mmproj', 'p.gguf'], ['--image-prompt', 'hf']].map((flags): [string, string[]] => [`${flags[0]} for a server`, ['run', ...flags, '--remote', 'http://127.0.0.1:8000', 'Hi']]),
  ])('%s', async (_, args) => {
    await expect(parse(...args)).rejects.toBeInstanceOf(CommanderError)
  })
})
