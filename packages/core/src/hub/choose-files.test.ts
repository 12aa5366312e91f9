import { describe, expect, test } from 'vitest'
import { GemmaError } from '../errors.ts'
import { parseAddress, printAddress } from './address.ts'
import { chooseFiles } from './choose-files.ts'
import { isSafePath } from './safe-name.ts'

function choose(names: readonly string[], path?: string, withMmproj = true): readonly string[] {
  const files = names.map((name) => ({ path: name, bytes: 1 }))
  return chooseFiles('o/r', files, { withMmproj, ...(path !== undefined && { path }) }).map((file) => file.path)
}

function messageOf(work: () => unknown): string {
  try {
    work()
  } catch (error) {
    if (GemmaError.is(error)) return `${error.code}: ${error.message}`
    throw error
  }
  return ''
}

describe('addresses', () => {
  test.each([
    ['hf:ggml-org/gemma-3-270m-it-GGUF', { repository: 'ggml-org/gemma-3-270m-it-GGUF' }],
    ['HF:o/r.v2@main', { repository: 'o/r.v2', revision: 'main' }],
    ['hf:o/r@refs%2Fpr%2F1/a/b.gguf', { repository: 'o/r', revision: 'refs/pr/1', path: 'a/b.gguf' }],
    ['hf:o/r/sub/', { repository: 'o/r', path: 'sub' }],
  ])('%s', (address, parsed) => {
    expect(parseAddress(address)).toEqual({ kind: 'hub', ...parsed })
    expect(parseAddress(printAddress(parseAddress(address)))).toEqual(parseAddress(address))
  })

  test.each(['hf:', 'hf:o', 'hf:o/', 'hf:../r', 'hf:o/..', 'hf:o/r@/x', 'hf:o/r@..%2F../x', 'hf:o/r@%', 'hf:o/nul', 'hf:o/r/../../etc/passwd', 'hf:o/r//x', 'hf:o/r/a\\b.gguf', 'hf:o/r/.facet/x', 'ftp://x/a.gguf', 'https://x/page', 'https://x/..%2Fa.gguf'])(
    '%s is refused',
    (address) => {
      expect(messageOf(() => parseAddress(address))).toMatch(/^invalid-argument: .*[.]$/)
    },
  )

  test('names that mean something else on some system', () => {
    for (const name of ['a', 'a/b.gguf', 'Ünï çødé.gguf', '.hidden', 'con-fig', 'nulls.gguf']) expect([name, isSafePath(name)]).toEqual([name, true])
    for (const name of ['', '/a', 'a/', 'a//b', '.', 'a/..', 'C:/x', 'a:stream', 'a\\b', 'NUL', 'nul.gguf', 'sub/COM1.txt', 'lpt¹', 'a.', 'a ', 'a\u0000', 'a\n', '.Facet', 'x'.repeat(300)]) {
      expect([name, isSafePath(name)]).toEqual([name, false])
    }
  })
})

describe('which files', () => {
  const several = ['README.md', 'm-Q8_0.gguf', 'm-Q4_K_M.gguf', 'm-BF16.gguf', 'mmproj-model-f16.gguf']

  test('of GGUF: Q4_K_M, else Q8_0, else the only one; with the mmproj beside it', () => {
    expect(choose(several)).toEqual(['m-Q4_K_M.gguf', 'mmproj-model-f16.gguf'])
    expect(choose(several.filter((name) => !name.includes('Q4')))).toEqual(['m-Q8_0.gguf', 'mmproj-model-f16.gguf'])
    expect(choose(['gemma-3-4b-it-q4_0.gguf', 'mmproj-model-f16-4B.gguf'])).toEqual(['gemma-3-4b-it-q4_0.gguf', 'mmproj-model-f16-4B.gguf'])
    expect(choose(several, 'm-BF16.gguf', false)).toEqual(['m-BF16.gguf'])
    expect(choose([...several.slice(0, 4), 'mmproj-BF16.gguf', 'mmproj-F16.gguf', 'mmproj-F32.gguf'])).toEqual(['m-Q4_K_M.gguf', 'mmproj-F16.gguf'])
    expect(choose(several, 'mmproj-model-f16.gguf')).toEqual(['mmproj-model-f16.gguf'])
  })

  test('what is not clear is said with the names', () => {
    expect(messageOf(() => choose(['a-Q5_K.gguf', 'b-Q6_K.gguf']))).toMatch(/^invalid-argument: .*several GGUF models.*hf:o\/r\/a-Q5_K.gguf: a-Q5_K.gguf, b-Q6_K.gguf/)
    expect(messageOf(() => choose(['a-q4_k_m.gguf', 'b-q4_k_m.gguf']))).toMatch(/several GGUF models/)
    expect(messageOf(() => choose(['README.md']))).toMatch(/There is: README.md/)
    expect(messageOf(() => choose(['a.gguf'], 'b.gguf'))).toMatch(/has no b.gguf. There is: a.gguf/)
    expect(messageOf(() => choose(['a-00001-of-00002.gguf', 'a-00002-of-00002.gguf'], 'a-00001-of-00002.gguf'))).toMatch(/^unsupported: .*one of several pieces/)
  })

  test('of safetensors: the folder', () => {
    const folder = ['.gitattributes', 'README.md', 'config.json', 'model.safetensors', 'tokenizer.json', 'chat_template.jinja', 'added_tokens.json', 'tokenizer.model']
    expect(choose(folder)).toEqual(['config.json', 'model.safetensors', 'tokenizer.json', 'chat_template.jinja'])
    expect(choose([...folder, 'x.gguf'], 'x.gguf')).toEqual(['x.gguf'])
    const shards = ['config.json', 'model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors', 'model.safetensors.index.json']
    expect(choose(shards)).toEqual(shards)
    expect(choose(shards, 'model-00002-of-00002.safetensors')).toEqual(shards)
    expect(choose(shards.map((name) => `sub/${name}`), 'sub')).toEqual(shards.map((name) => `sub/${name}`))
    expect(messageOf(() => choose([...shards, 'adapter.safetensors'], 'adapter.safetensors'))).toMatch(/^unsupported/)
  })
})
