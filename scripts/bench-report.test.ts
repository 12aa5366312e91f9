import { describe, expect, test } from 'vitest'
import { engineNames, isOnCpu, titleOf } from '../bench/engine.ts'
import { renderReport, type ReportFacts } from '../bench/report.ts'

const facts: ReportFacts = { model: 'a model', threads: 1, promptTokens: 2, decodeTokens: 2, rounds: 1, date: '2026-01-01', load: [0, 0], devices: {}, weightBytesPerToken: 5e8 }

describe('tables of the benchmark', () => {
  test('an emulated device is named so, another is not', () => {
    expect(titleOf('facet-cuda-fast', 'CUDA emulated, Emulated GPU (sm_80)')).toBe('facet-cuda-fast (emulated: times mean nothing)')
    expect(titleOf('facet-cuda-fast', 'CUDA, NVIDIA H100')).toBe('facet-cuda-fast')
  })

  test('what runs on a GPU is not held against the memory of the machine', () => {
    expect(engineNames.filter((name) => !isOnCpu(name))).toEqual(['facet-webgpu-fast', 'facet-webgpu-exact', 'facet-cuda-fast', 'facet-cuda-exact'])
  })

  test('says whose bandwidth the share is of: what was given, else what the card tells', () => {
    expect(renderReport([], { ...facts, cardBandwidth: 3352.3 })).toContain("3352 GB/s by the card's own data")
    expect(renderReport([], { ...facts, bandwidth: 3350 })).toContain('3350 GB/s as --bandwidth-gbs gave it')
    expect(renderReport([], facts)).not.toContain('GB/s')
  })
})
