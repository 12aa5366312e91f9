import { GemmaError } from '@facetjs/core'
import { CommanderError } from 'commander'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { reportError, usageError } from './errors.ts'

function reported(error: unknown): { readonly code: number; readonly said: string } {
  const said: string[] = []
  const write = vi.spyOn(process.stderr, 'write').mockImplementation((text) => said.push(String(text)) > 0)
  const code = reportError(error)
  write.mockRestore()
  return { code, said: said.join('') }
}

describe('reportError', () => {
  afterEach(() => {
    vi.unstubAllEnvs()
  })

  test('a GemmaError is one line and 1; an aborted one is 130', () => {
    expect(reported(new GemmaError('invalid-model', 'No. Do this.'))).toEqual({ code: 1, said: 'facet: No. Do this.\n' })
    expect(reported(new GemmaError('aborted', 'Stopped.'))).toEqual({ code: 130, said: 'facet: Stopped.\n' })
  })

  test('usage is 2, help and version are 0', () => {
    expect(reported(usageError('Give one.'))).toEqual({ code: 2, said: 'facet: Give one.\n' })
    expect(reported(new CommanderError(1, 'commander.unknownOption', 'printed already'))).toEqual({ code: 2, said: '' })
    expect(reported(new CommanderError(0, 'commander.version', '0.0.0'))).toEqual({ code: 0, said: '' })
  })

  test('what nobody expected says how to see more', () => {
    expect(reported(new TypeError('x is undefined'))).toEqual({ code: 1, said: expect.stringMatching(/^facet: x is undefined\nfacet: .*FACET_DEBUG=1/) })
  })

  test('a failure while closing does not hide the one before it', () => {
    expect(reported(new SuppressedError(new Error('closing'), new GemmaError('invalid-model', 'No. Do this.')))).toEqual({ code: 1, said: 'facet: No. Do this.\n' })
  })

  test('FACET_DEBUG shows stacks and causes', () => {
    vi.stubEnv('FACET_DEBUG', '1')
    const { said } = reported(new GemmaError('invalid-model', 'No. Do this.', { cause: new Error('the disk') }))
    expect(said).toMatch(/errors\.test\.ts/)
    expect(said).toContain('caused by: Error: the disk')
  })
})
