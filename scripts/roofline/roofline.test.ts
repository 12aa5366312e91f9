import { expect, test } from 'vitest'
import { gemmaSizes } from '../../packages/core/src/index.ts'
import { parameterCount } from '../../packages/core/src/inspect.ts'
import { assumptions, cards } from './cards.ts'
import { costs, encodings, kernelCount, PAST, secondsOf } from './estimate.ts'

const bf16 = encodings.find(({ name }) => name === 'BF16') ?? expect.unreachable()

test('a token reads every parameter of the text model once, and the table as the output matrix only', () => {
  for (const size of ['270m', '1b'] as const) {
    const { steps } = costs(size, bf16, 'decode')
    const read = steps.reduce((sum, { weightBytes }) => sum + weightBytes, 0)
    const { vocabSize, hiddenSize, numHiddenLayers, headDim } = gemmaSizes[size].text
    const norms = numHiddenLayers * (4 * hiddenSize + 2 * headDim) + hiddenSize // f32
    expect(read).toBe(parameterCount(gemmaSizes[size]) * 2 + norms * 2 + hiddenSize * 2) // one row more is embedded
    expect(read).toBeGreaterThan(vocabSize * hiddenSize * 2)
  }
})

test('local layers read their window, global ones all that is there', () => {
  const { text } = gemmaSizes['4b']
  const attention = costs('4b', bf16, 'decode').steps.filter(({ op }) => op === 'attention').map(({ cacheBytes }) => cacheBytes)
  const slotBytes = 2 * 2 * text.numKeyValueHeads * text.headDim
  expect(attention).toEqual(text.layerTypes.map((type) => slotBytes * Math.min(PAST + 1, type === 'local' ? text.slidingWindow : Infinity)))
})

test('no faster than the bandwidth allows', () => {
  for (const card of cards) {
    const token = costs('27b', bf16, 'decode')
    const bytes = token.steps.reduce((sum, { weightBytes, cacheBytes }) => sum + weightBytes + cacheBytes, 0)
    expect(secondsOf(card, token, 'decode')).toBeGreaterThan(bytes / (card.memoryBytesPerSecond * assumptions.bandwidthShare))
  }
})

test('a layer of a token is five kernels at most, on each card', () => {
  for (const card of cards) {
    for (const encoding of encodings) {
      const kernels = (size: '270m' | '4b'): number => kernelCount(card, costs(size, encoding, 'decode').plan)
      const layers = gemmaSizes['4b'].text.numHiddenLayers - gemmaSizes['270m'].text.numHiddenLayers
      expect(kernels('4b') - kernels('270m')).toBeLessThanOrEqual(5 * layers)
      expect(kernels('270m')).toBeGreaterThan(gemmaSizes['270m'].text.numHiddenLayers)
    }
  }
})
