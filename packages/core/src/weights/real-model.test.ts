import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { gemmaSizes } from '../graph/config.ts'
import { openModel } from './open-model.ts'

const path = fileURLToPath(new URL('../../../../.models/gemma-3-270m-q4_k_m.gguf', import.meta.url))
const present = existsSync(path)
if (!present) console.warn(`Skipped: ${path} is not there. \`pnpm model:fetch\` brings it.`)

describe.skipIf(!present)('the real Gemma 3 270M, Q4_K_M', () => {
  test('configuration, tensors and types', async () => {
    const checkpoint = await openModel(path)
    expect(checkpoint.config).toEqual({ text: gemmaSizes['270m'].text })
    expect(checkpoint).toMatchObject({ name: 'Gemma 3 270m', format: 'gguf', chatTemplate: undefined, generation: { eosTokenIds: [1] } })
    expect(checkpoint.tensors.size).toBe(236)
    const types: Record<string, number> = {}
    for (const { type } of checkpoint.tensors.values()) types[type] = (types[type] ?? 0) + 1
    // llama.cpp's rules for this file type (spec §6.5).
    expect(types).toEqual({ f32: 109, q5_0: 81, q8_0: 10, q4_k: 27, q6_k: 9 })
    const sixBit = Array.from(checkpoint.tensors.values()).filter(({ type }) => type === 'q6_k')
    expect(sixBit.map(({ name }) => Number(/\d+/.exec(name)?.[0])).sort((a, b) => a - b)).toEqual([0, 1, 4, 7, 10, 13, 15, 16, 17])
    const parameters = Array.from(checkpoint.tensors.values()).reduce((sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1), 0)
    expect(parameters).toBe(268_098_176)
    await checkpoint.close()
  })
})
