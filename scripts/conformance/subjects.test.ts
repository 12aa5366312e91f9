import { describe, expect, test } from 'vitest'
import type { Measurement } from './measure.ts'
import { mergeMeasurement, renderReport } from './report.ts'
import { chooseSubjects } from './subjects.ts'

const namesOf = (choice: Parameters<typeof chooseSubjects>[0]): readonly string[] => chooseSubjects(choice).chosen.map(({ name }) => name)

describe('which columns are measured', () => {
  test('all but the slow reference, and transformers.js', () => {
    expect(namesOf({})).toEqual(['wasm exact', 'wasm fast', 'webgpu exact', 'webgpu fast', 'cuda exact', 'cuda fast'])
    expect(chooseSubjects({}).hasHuggingFace).toBe(true)
  })

  test('both of a backend, without transformers.js', () => {
    expect(namesOf({ backend: ['cuda'] })).toEqual(['cuda exact', 'cuda fast'])
    expect(namesOf({ backend: ['webgpu', 'reference'], subject: ['cuda fast'] })).toEqual(['webgpu exact', 'webgpu fast', 'cuda fast', 'reference exact'])
    expect(chooseSubjects({ backend: ['cuda'] }).hasHuggingFace).toBe(false)
  })

  test('transformers.js alone', () => {
    expect(chooseSubjects({ subject: ['transformers.js'] })).toEqual({ chosen: [], hasHuggingFace: true })
  })

  test('a name that is none is refused with those there are, also beside one that is', () => {
    expect(() => chooseSubjects({ backend: ['cuda', 'metal'] })).toThrow(/no backend metal.*wasm, webgpu, cuda, reference/)
    expect(() => chooseSubjects({ subject: ['cuda'] })).toThrow(/no subject cuda.*cuda exact, cuda fast.*transformers\.js/)
  })
})

describe('what is emulated says so', () => {
  const measured = (device: string, more: Partial<Measurement> = {}): Measurement => ({ date: '2026-01-01', device, kinds: {}, problems: [], hf: {}, pictures: { agree: 1, of: 1 }, ...more })
  const prompts = { agree: 1, of: 1, tokens: 2 }
  const emulated = measured('CUDA emulated, Emulated GPU', { prompts })
  const card = measured('CUDA, NVIDIA H100')

  test('in the heads of its columns, and in words', () => {
    const report = renderReport({ 'cuda exact': emulated })
    expect(report).toContain('| kind | cuda exact (emulated) |')
    expect(report).toContain('- **cuda exact (emulated)**: CUDA emulated')
    expect(report).toContain('no GPU has run this')
    expect(renderReport({ 'cuda exact': card })).not.toContain('emulated')
  })

  test("nothing of it stays in a card's column", () => {
    expect(mergeMeasurement(emulated, card)).toEqual(card)
    expect(mergeMeasurement(emulated, measured('CUDA emulated, Emulated GPU'))).toEqual(emulated)
    expect(mergeMeasurement(undefined, card)).toEqual(card)
  })
})
