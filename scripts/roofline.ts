// `pnpm roofline`: what Gemma 3 can cost at best on an NVIDIA card, from the plans and the cards' data sheets. Nothing is measured.
// Writes docs/roofline.md.
import { writeFileSync } from 'node:fs'
import { type GemmaSize, gemmaSizes } from '../packages/core/src/index.ts'
import { estimateKv } from '../packages/core/src/inspect.ts'
import { assumptions, cards } from './roofline/cards.ts'
import { CONTEXT, costs, encodings, kernelCount, PAST, PROMPT, secondsOf } from './roofline/estimate.ts'

const sizes = Object.keys(gemmaSizes).filter((name): name is GemmaSize => Object.hasOwn(gemmaSizes, name))
const gigabytes = (bytes: number): string => (bytes / 1e9).toFixed(2)

function render(): string {
  const { bandwidthShare, computeShare, gapSeconds } = assumptions
  const kernels = sizes.map((size) => `${kernelCount(cards[cards.length - 1], costs(size, encodings[0], 'decode').plan)} (${size})`)
  const lines = [
    '# Roofline of the CUDA backend',
    '',
    'Written by `pnpm roofline` from the plans and the cards’ data sheets. **Nothing here is measured.** It says what a card leaves room for, and what a measurement is to be compared with.',
    '',
    `Assumptions: a kernel gets ${bandwidthShare * 100} % of the bandwidth or ${computeShare * 100} % of the arithmetic peak, whichever takes longer; ${gapSeconds * 1e6} µs between kernels of a graph;`,
    `a token takes as many kernels as the backend launches, on an ${cards[cards.length - 1].name} ${kernels.join(', ')}; KV in f16, a context of ${CONTEXT}, ${PAST} tokens there while one is decoded, prompts of ${PROMPT}. Weights as their files have them; the activations of one row stay in the caches.`,
    '',
    `| card | bandwidth | f16 on tensor cores | f32 | memory |`,
    '|---|---|---|---|---|',
    ...cards.map((card) => `| ${card.name} | ${card.memoryBytesPerSecond / 1e9} GB/s | ${card.halfOpsPerSecond === undefined ? 'not used' : `${card.halfOpsPerSecond / 1e12} Tops/s`} | ${card.floatOpsPerSecond / 1e12} Tops/s | ${card.memoryBytes / 2 ** 30} GiB |`),
    '',
    '## Tokens per second',
    '',
    'Decode / prefill. `–`: weights and one session do not fit into the card. *: Q8_0 where the width is no multiple of 256 (270m, 1b).',
    '',
    `| model | encoding | weights | read a token | ${cards.map(({ name }) => name).join(' | ')} |`,
    `|---|---|---|---|${cards.map(() => '---|').join('')}`,
  ]
  for (const size of sizes) {
    for (const encoding of encodings) {
      const decode = costs(size, encoding, 'decode')
      const prefill = costs(size, encoding, 'prefill')
      const read = decode.steps.reduce((sum, { weightBytes, cacheBytes }) => sum + weightBytes + cacheBytes, 0)
      const weights = decode.steps.reduce((sum, { weightBytes }) => sum + weightBytes, 0)
      const { kv } = estimateKv(gemmaSizes[size].text, { contextLength: CONTEXT })
      const speeds = cards.map((card) => (weights + kv > card.memoryBytes * 0.92 ? '–' : `${(1 / secondsOf(card, decode, 'decode')).toFixed(0)} / ${(PROMPT / secondsOf(card, prefill, 'prefill')).toFixed(0)}`))
      lines.push(`| ${size} | ${encoding.name} | ${gigabytes(weights)} GB | ${gigabytes(read)} GB | ${speeds.join(' | ')} |`)
    }
  }
  lines.push('', '## Where a token goes: 4B, Q4_0', '', '| step | weights | keys and values | operations | share of bytes |', '|---|---|---|---|---|')
  const { steps } = costs('4b', encodings[0], 'decode')
  const total = steps.reduce((sum, { weightBytes, cacheBytes }) => sum + weightBytes + cacheBytes, 0)
  for (const op of new Set(steps.map((step) => step.op))) {
    const own = steps.filter((step) => step.op === op)
    const sum = (field: 'weightBytes' | 'cacheBytes' | 'ops'): number => own.reduce((all, step) => all + step[field], 0)
    lines.push(`| ${op} × ${own.length} | ${(sum('weightBytes') / 1e6).toFixed(2)} MB | ${(sum('cacheBytes') / 1e6).toFixed(2)} MB | ${(sum('ops') / 1e6).toFixed(1)} M | ${(((sum('weightBytes') + sum('cacheBytes')) / total) * 100).toFixed(1)} % |`)
  }
  return `${lines.join('\n')}\n`
}

const report = render()
writeFileSync(new URL('../docs/roofline.md', import.meta.url), report)
console.log(report)
