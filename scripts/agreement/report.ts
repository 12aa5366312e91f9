/** What `pnpm agree` keeps (docs/agreement.json) and shows (docs/agreement.md). One entry per backend and numerics, measured apart. */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { GreedyAgreement, RowAgreement } from '../../packages/core/src/testing/index.ts'

/** Order of the table. */
export const subjects = ['reference exact', 'wasm exact', 'wasm fast', 'webgpu exact', 'webgpu fast', 'native'] as const
export type SubjectName = (typeof subjects)[number]

export interface PromptResult extends GreedyAgreement {
  readonly prompt: string
}

export interface AgreementEntry {
  /** YYYY-MM-DD */
  readonly date: string
  /** Node version, processor. */
  readonly machine: string
  readonly minutes: number
  readonly prompts: readonly PromptResult[]
  readonly rows: RowAgreement
}

export type AgreementResults = Partial<Record<SubjectName, AgreementEntry>>

const file = (name: string): string => fileURLToPath(new URL(`../../docs/${name}`, import.meta.url))

export function readResults(): AgreementResults {
  try {
    return JSON.parse(readFileSync(file('agreement.json'), 'utf8'))
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return {}
    throw error
  }
}

export function writeResults(results: AgreementResults): void {
  writeFileSync(file('agreement.json'), `${JSON.stringify(results, undefined, 1)}\n`)
  writeFileSync(file('agreement.md'), renderReport(results))
}

/** What issue 4 asks of an entry that is not met; empty when all is well. Native llama.cpp is only looked at. */
export function shortfalls(name: SubjectName, { prompts, rows }: AgreementEntry, native: AgreementEntry | undefined): string[] {
  const wrong: string[] = []
  const atLeast = (what: string, found: number, bound: number): void => void (found < bound && wrong.push(`${what} is ${found}, below ${bound}`))
  const atMost = (what: string, found: number, bound: number): void => void (found > bound && wrong.push(`${what} is ${found}, above ${bound}`))
  if (name.endsWith('exact')) {
    atLeast('prompts that agree', agreeing(prompts), prompts.length)
    atLeast('top-1', rows.top1, 0.998)
    atMost('|KL|', Math.abs(rows.kl), 5e-5)
  } else if (name.endsWith('fast')) {
    atMost('KL', rows.kl, 1.2e-3)
    if (native !== undefined) atLeast('top-1', rows.top1, native.rows.top1 - 0.01)
  }
  return wrong
}

export function renderReport(results: AgreementResults): string {
  const measured = subjects.flatMap((name) => (results[name] === undefined ? [] : [{ name, entry: results[name] }]))
  const prompts = measured[0]?.entry.prompts.map(({ prompt }) => prompt) ?? []
  return `# Agreement with HF transformers

Written by \`pnpm agree\` from \`agreement.json\`; each row can be measured alone (\`pnpm agree --backend native\`).

Model: Gemma 3 270M base, Q4_K_M GGUF (sha256 a5fd3b62…). Expected values: HF transformers 5.18.0 in f32 over the same dequantised
weights (\`packages/core/fixtures/real-270m\`): 20 prompts continued greedily by 64 tokens, and the rows of a long text, teacher-forced.
A continuation agrees if it is equal, or parts first where HF's two best logits are closer than 1e-3.
KL: mean over rows of Σ p (log p − log q) over HF's 20 best tokens. \`native\` is llama.cpp through node-llama-cpp on the CPU: it quantises
activations and keeps its KV in f16.

| backend | greedy continuations that agree | identical | rows | top-1 | KL | largest KL of a row | measured |
|---|---|---|---|---|---|---|---|
${measured.map(({ name, entry }) => summaryLine(name, entry)).join('\n')}

| prompt | ${measured.map(({ name }) => name).join(' | ')} |
|---|${'---|'.repeat(measured.length)}
${prompts.map((prompt) => promptLine(prompt, measured.map(({ entry }) => entry))).join('\n')}
`
}

function summaryLine(name: SubjectName, { prompts, rows, date, machine, minutes }: AgreementEntry): string {
  const identical = prompts.filter((result) => result.firstDifference === undefined).length
  const of = prompts.length
  return `| ${name} | ${agreeing(prompts)} of ${of} | ${identical} of ${of} | ${rows.rows} | ${(rows.top1 * 100).toFixed(2)} % | ${rows.kl.toExponential(2)} | ${rows.worstKl.toExponential(2)} | ${date}, ${machine}, ${minutes.toFixed(1)} min |`
}

function promptLine(prompt: string, entries: readonly AgreementEntry[]): string {
  const cells = entries.map(({ prompts }) => {
    const result = prompts.find((candidate) => candidate.prompt === prompt)
    return result === undefined ? '' : describe(result)
  })
  return `| ${JSON.stringify(prompt).replaceAll('|', '\\|')} | ${cells.join(' | ')} |`
}

export function describe({ steps, firstDifference, agrees }: GreedyAgreement): string {
  if (firstDifference === undefined) return `${steps} equal`
  return `parts at ${firstDifference.step}, HF's margin ${firstDifference.margin}${agrees ? ' (a tie)' : ''}`
}

const agreeing = (prompts: readonly PromptResult[]): number => prompts.filter((result) => result.agrees).length
