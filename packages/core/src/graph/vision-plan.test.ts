import { expect, test } from 'vitest'
import { gemmaSizes, type GemmaSize } from './config.ts'
import { planBytes } from './memory-plan.ts'
import { visionPlan } from './vision-plan.ts'

// Parameters of tower and projector by keras-hub's presets; of them 4096 × 1152 are the table, 4 bytes each here.
test.each([['4b', 419_816_304], ['12b', 421_290_864], ['27b', 423_060_336]] as const)('the tower of %s has its parameters, one section a layer, and less scratch than one score matrix', (size: GemmaSize, parameters) => {
  const { text, vision } = gemmaSizes[size]
  if (vision === undefined) throw new Error('no tower')
  const plan = visionPlan(vision, { textHiddenSize: text.hiddenSize, weightType: () => 'f32' })
  expect(planBytes(plan).weights / 4).toBe(parameters)
  expect(plan.sections.map(({ name }) => name)).toEqual(['embed', ...Array.from({ length: 27 }, (_, layer) => `layers.${layer}`), 'projector'])
  expect(planBytes(plan).scratch).toBeLessThan(16 * 4096 ** 2 * 4)
  expect(plan.steps.filter(({ op }) => op === 'attention').every((step) => step.op === 'attention' && step.headDim === 72)).toBe(true)
})
