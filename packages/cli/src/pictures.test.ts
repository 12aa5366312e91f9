import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readSafetensors } from '@facetjs/core/inspect'
import { tensorDifferences } from '@facetjs/core/testing'
import { demoModel } from '@facetjs/demo-model'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { facet } from './facet.testing.ts'

// What HF transformers answers, greedy, over the demo model's GGUF and mmproj.
interface Expected {
  readonly rows: readonly {
    readonly turns: readonly { readonly question: string; readonly picture: string | null; readonly answer?: string }[]
    readonly gguf: { readonly text: string; readonly margin: number }
  }[]
}

const fixtures = fileURLToPath(new URL('../../core/fixtures/', import.meta.url))
const pictureFile = (name: string): string => join(fixtures, 'demo/pictures', name)
const describeIt = 'Describe the image.'

let expected: Expected = { rows: [] }
let folder = ''
beforeAll(async () => {
  expected = JSON.parse(await readFile(join(fixtures, 'demo/images-expected.json'), 'utf8'))
  folder = await mkdtemp(join(tmpdir(), 'facet-pictures-'))
})
afterAll(async () => {
  await rm(folder, { recursive: true })
})

/** HF's answer to the last of these questions; it has to be one that rounding cannot change. */
function answerOf(...turns: readonly (readonly [question: string, picture: string | null])[]): string {
  const row = expected.rows.find((candidate) => JSON.stringify(candidate.turns.map(({ question, picture }) => [question, picture])) === JSON.stringify(turns))
  expect(row?.gguf.margin).toBeGreaterThanOrEqual(1e-3)
  return row?.gguf.text ?? ''
}

async function fileOf(name: string, bytes: Uint8Array | string): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, bytes)
  return path
}

const oneLine = expect.stringMatching(/^facet: [^\n]+\n$/)

describe('facet run --image', () => {
  // 224 × 224 and 448 × 300 pixels.
  test.each(['001.png', '005.png'])('%s: as HF answers, on WASM', async (name) => {
    const { code, stdout, stderr } = await facet(['run', '--temperature', '0', '--numerics', 'exact', '--image', pictureFile(name), describeIt])
    expect(stdout).toBe(`${answerOf([describeIt, name])}\n`)
    expect(stderr).toMatch(/^\d+ tokens · \d+\.\d tok\/s · images \d+\.\d s · prompt 31 tokens in \d+\.\d s · stop\n$/)
    expect(code).toBe(0)
  })

  test('on the reference backend, with the tower named by --mmproj', async () => {
    const model = await copyOfDemoModel()
    const args = ['--backend', 'reference', '--model', model, '--mmproj', fileURLToPath(demoModel.mmproj), '--image', pictureFile('016.png')]
    expect(await facet(['run', '--quiet', '--temperature', '0', ...args, describeIt])).toEqual({ code: 0, stdout: `${answerOf([describeIt, '016.png'])}\n`, stderr: '' })
  })

  test('the demo model describes the picture that comes with it', async () => {
    const { stdout } = await facet(['run', '--image', fileURLToPath(demoModel.picture), describeIt])
    expect(stdout).toBe(`${answerOf([describeIt, '001.png'])}\n`)
  })

  // Without a turn around it: <bos>, two newlines, <start_of_image>, 16, <end_of_image>, two newlines, and the text's three.
  test('--raw: a picture for each <start_of_image>', async () => {
    const picture = ['--image', pictureFile('001.png')]
    const { code, stderr } = await facet(['run', '--raw', '--max-tokens', '1', ...picture, `<start_of_image>${describeIt}`])
    expect(stderr).toContain(' · prompt 24 tokens in ')
    expect(code).toBe(0)
    const none = await facet(['run', '--raw', ...picture, describeIt])
    expect(none).toEqual({ code: 2, stdout: '', stderr: expect.stringContaining('it has 0 of them, and --image was given once. Write one for each picture.') })
  })

  // `user`'s newline does not merge with the two after it.
  test('--image-prompt google takes one token more', async () => {
    const { stderr } = await facet(['run', '--max-tokens', '1', '--image-prompt', 'google', '--image', pictureFile('001.png'), describeIt])
    expect(stderr).toContain(' · prompt 32 tokens in ')
  })

  test('--show draws nothing where there is no terminal', async () => {
    const { code, stderr } = await facet(['run', '--max-tokens', '1', '--show', '--image', pictureFile('001.png'), describeIt])
    expect(stderr).not.toContain('▀')
    expect(code).toBe(0)
  })

  test('no such file, or one that is no picture: one line that names it, before anything is loaded', async () => {
    const bad: readonly (readonly [path: string, said: RegExp])[] = [
      [join(folder, 'nowhere.png'), /Cannot read .*nowhere\.png: ENOENT/],
      [folder, /Cannot read .*: EISDIR/],
      [await fileOf('text.png', 'a thousand words'), /text\.png: .*no image of a known format/],
      [await fileOf('empty.png', ''), /empty\.png: .*0 bytes/],
      [await fileOf('half.png', (await readFile(pictureFile('001.png'))).subarray(0, 3000)), /half\.png: .*PNG file is cut short/],
    ]
    for (const [path, said] of bad) {
      // The first picture is fine, and the model is not there.
      const outcome = await facet(['run', '--model', 'nowhere.gguf', '--image', pictureFile('001.png'), '--image', path, describeIt])
      expect(outcome).toEqual({ code: 1, stdout: '', stderr: oneLine })
      expect(outcome.stderr).toMatch(said)
    }
  })

  test('a model without a tower says what to do', async () => {
    const outcome = await facet(['run', '--model', await copyOfDemoModel(), '--image', pictureFile('001.png'), describeIt])
    expect(outcome).toEqual({ code: 1, stdout: '', stderr: oneLine })
    expect(outcome.stderr).toContain('reads text only')
    expect(outcome.stderr).toContain('--mmproj')
  })

  test('an --mmproj that is not there, or is none', async () => {
    for (const mmproj of ['nowhere.gguf', fileURLToPath(demoModel.gguf), 'hf:gemma-3-4b']) {
      expect(await facet(['run', '--mmproj', mmproj, '--image', pictureFile('001.png'), describeIt])).toEqual({ code: 1, stdout: '', stderr: oneLine })
    }
  })
})

describe('facet chat', () => {
  test('/image shows a picture with the next message; the conversation remembers it', async () => {
    const what = 'What color is the background?'
    const { code, stdout, stderr } = await facet(['chat', '--temperature', '0', '--numerics', 'exact'], `/image ${pictureFile('002.png')}\n${describeIt}\n${what}\n`)
    expect(stdout).toBe(`${answerOf([describeIt, '002.png'])}\n${answerOf([describeIt, '002.png'], [what, null])}\n`)
    expect(stderr).toContain(`002.png: 160 × 160 pixels, 16 tokens. It goes with the next message.\n`)
    expect(stderr.match(/ · images /g)).toHaveLength(1)
    expect(code).toBe(0)
  })

  test('a picture in each of two turns', async () => {
    const again = 'Describe this picture.'
    const input = `/image "${pictureFile('024.png')}"\n${describeIt}\n/image ${pictureFile('124.png')}\n${again}\n`
    const { stdout } = await facet(['chat', '--temperature', '0', '--numerics', 'exact'], input)
    expect(stdout.split('\n')[1]).toBe(answerOf([describeIt, '024.png'], [again, '124.png']))
  })

  // HF's pan and scan cuts 1024 × 512 into two squares.
  test('several pictures, and the crops of one with --pan-and-scan', async () => {
    const wide = await fileOf('wide.png', await sharp({ create: { width: 1024, height: 512, channels: 3, background: '#369' } }).png().toBuffer())
    const { stderr } = await facet(['chat', '--max-tokens', '1', '--pan-and-scan'], `/image ${wide}\n/image ${pictureFile('001.png')}\nHi\n`)
    expect(stderr).toContain('wide.png: 1,024 × 512 pixels, 48 tokens.')
    expect(stderr).toContain('001.png: 224 × 224 pixels, 16 tokens.')
    const prompt = Number(/prompt (\d+) tokens/.exec(stderr)?.[1])
    expect(prompt).toBeGreaterThan(4 * 16)
  })

  test.each([['', /^facet: Say which picture: /], [' nowhere.png', /^facet: Cannot read nowhere\.png: /]])('/image%s ends a script: it is not to go on without its picture', async (argument, message) => {
    const { code, stdout, stderr } = await facet(['chat', '--quiet'], `/image${argument}\nDescribe the image.\n`)
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toMatch(message)
  })

  test('/reset takes pictures back', async () => {
    const question = 'Count to 5.'
    const input = `/image ${pictureFile('001.png')}\n/reset\n${question}\n/help\n`
    const { code, stdout, stderr } = await facet(['chat', '--temperature', '0'], input)
    expect(stdout).toBe(`${answerOf([question, null])}\n`)
    expect(stderr).not.toContain(' · images ')
    expect(stderr).toContain('/image FILE ')
    expect(code).toBe(0)
  })
})

describe('facet describe', () => {
  test('a GGUF alone, and with its tower', async () => {
    const model = await copyOfDemoModel()
    const alone = await facet(['describe', model])
    expect(alone.stdout).toContain('Gemma3ForCausalLM(')
    expect(alone.stdout).not.toContain('Pictures')
    const seeing = await facet(['describe', model, '--mmproj', fileURLToPath(demoModel.mmproj)])
    expect(seeing.stdout).toContain('(0-3): 4 x SiglipEncoderLayer(')
    expect(seeing.stdout).toContain('2,502,656 (text 1,609,216, vision tower 876,928, projector 16,512)')
    expect(seeing.stdout).toContain('Pictures    16 tokens each, seen as 112 × 112 pixels')
  })

  test('a released size has no file that --mmproj could belong to', async () => {
    const outcome = await facet(['describe', '4b', '--mmproj', fileURLToPath(demoModel.mmproj)])
    expect(outcome).toEqual({ code: 2, stdout: '', stderr: expect.stringContaining('4b names none') })
  })
})

describe('facet trace --pixels', () => {
  const model = join(fixtures, 'models/mm-two-images')
  const hf = join(model, 'expected.safetensors')

  test.each([
    ['reference', 1e-4],
    ['wasm', 1e-3],
  ] as const)('%s: what HF computes, tower and projector too, within %d', async (backend, tolerance) => {
    const want = new Map(await readSafetensors(await readFile(hf)))
    const ids = await fileOf('ids.json', JSON.stringify([...(want.get('input_ids')?.data ?? [])]))
    const out = join(folder, `${backend}.safetensors`)
    const greedy = String(want.get('greedy')?.data.length)
    const outcome = await facet(['trace', '-q', '--model', model, '--backend', backend, '--ids-file', ids, '--pixels', hf, '--hidden', '--greedy', greedy, '--out', out])
    expect(outcome).toEqual({ code: 0, stdout: '', stderr: '' })
    want.delete('pixel_values')
    const found = await readSafetensors(await readFile(out))
    expect([...found.keys()].toSorted()).toEqual([...want.keys()].toSorted())
    for (const [tensor, difference] of tensorDifferences(want, found)) expect(difference, tensor).toBeLessThanOrEqual(tolerance)
  })

  test.each([
    ['not there', 'nowhere.safetensors', /Cannot read/],
    ['no safetensors', join(fixtures, 'demo/images-expected.json'), /images-expected\.json: .*no safetensors/],
    ['many tensors, none called pixel_values', join(fixtures, 'models/text-1b-like/expected.safetensors'), /none of them named pixel_values/],
    ['for ids without image tokens', hf, /runs of the image token/],
  ])('1: pixels %s', async (_, pixels, said) => {
    const outcome = await facet(['trace', '--model', model, '--ids', '2,5', '--pixels', pixels, '--out', join(folder, 'no.safetensors')])
    expect(outcome).toEqual({ code: 1, stdout: '', stderr: oneLine })
    expect(outcome.stderr).toMatch(said)
  })
})

/** The text model in a folder of its own. */
async function copyOfDemoModel(): Promise<string> {
  const path = join(folder, 'text-only.gguf')
  await copyFile(demoModel.gguf, path)
  return path
}
