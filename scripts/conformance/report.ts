import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { renderHuggingFace } from './huggingface.ts'
import { hfFixtures, type Measurement } from './measure.ts'
import { subjects } from './subjects.ts'

export type Results = Readonly<Record<string, Measurement>>

const file = (name: string): string => fileURLToPath(new URL(`../../docs/${name}`, import.meta.url))

export function readResults(): Results {
  try {
    return JSON.parse(readFileSync(file('conformance.json'), 'utf8'))
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return {}
    throw error
  }
}

export function writeResults(results: Results): void {
  writeFileSync(file('conformance.json'), `${JSON.stringify(results, undefined, 1)}\n`)
  writeFileSync(file('conformance.md'), renderReport(results))
}

const isEmulated = ({ device }: Measurement): boolean => device.includes('emulated')

/** What was not measured this time stays as it was; but a card's column has nothing of an emulated one. */
export function mergeMeasurement(known: Measurement | undefined, found: Measurement): Measurement {
  return known !== undefined && isEmulated(known) === isEmulated(found) ? { ...known, ...found } : found
}

export function renderReport(results: Results): string {
  const measured = subjects.flatMap(({ name }) => (results[name] === undefined ? [] : [{ name, found: results[name] }]))
  const columns = measured.map(({ name, found }) => ({ name: isEmulated(found) ? `${name} (emulated)` : name, found }))
  const table = (first: string, rows: readonly (readonly [string, (found: Measurement) => string])[]): string =>
    [`| ${[first, ...columns.map(({ name }) => name)].join(' | ')} |`, `|${'---|'.repeat(columns.length + 1)}`, ...rows.map(([label, cell]) => `| ${[label, ...columns.map(({ found }) => cell(found))].join(' | ')} |`)].join('\n')
  const kinds = [...new Set(columns.flatMap(({ found }) => Object.keys(found.kinds)))]
  return `# Conformance

Written by \`pnpm conformance\` from \`conformance.json\`; each column can be measured alone (\`pnpm conformance --subject "webgpu exact"\`), on any machine.
The cases are data (\`@facetjs/core/testing\`), the same for every backend: [backends.md](backends.md) says how to run them on one of your own.

${columns.map(({ name, found }) => `- **${name}**: ${found.device} (${found.date})`).join('\n')}
${columns.some(({ found }) => isEmulated(found)) ? `
**Emulated**: no GPU has run this. The kernels' own sources are compiled as C++ and run on the CPU, thread by thread, under a driver library of our own
(\`packages/backend-cuda/native/emulator\`). It shows what they compute, not what a compiler for GPUs or a card makes of them.
` : ''}
## Against the reference

Worst NMSE of a step kind's cases (its tolerances: \`packages/core/src/testing/tolerance.ts\`), and how many passed.

${table('kind', kinds.map((kind) => [kind, ({ kinds: { [kind]: found } }) => (found === undefined ? '' : `${found.worstNmse.toExponential(1)} · ${found.cases - found.failed}/${found.cases}`)]))}

## Against HF transformers

Random checkpoints in f32: largest difference over every hidden state and the logits (pictures: the tower and projector too); greedy ids equal where it is finite.

${table('fixture', hfFixtures.map((name) => [name, ({ hf }) => (hf[name] === undefined ? '' : hf[name] === null ? 'greedy ids differ' : hf[name].toExponential(1))]))}

The demo model's conversations about pictures, answered with HF's very tokens; and the real Gemma 3 270M (Q4_K_M) against HF in f32 over the same
weights: prompts in which each token that HF chose is the likeliest here (teacher-forced; HF's ties below 1e-3 aside), and a long text's rows.

${table('', [
  ['demo conversations', ({ pictures }) => `${pictures.agree} of ${pictures.of}`],
  ['270M: prompts', ({ prompts }) => (prompts === undefined ? '' : `${prompts.agree} of ${prompts.of} × ${prompts.tokens} tokens`)],
  ['270M: top-1', ({ rows }) => (rows === undefined ? '' : `${(rows.top1 * 100).toFixed(2)} % of ${rows.rows} rows`)],
  ['270M: KL', ({ rows }) => (rows === undefined ? '' : rows.kl.toExponential(1))],
])}
${renderHuggingFace()}`
}
