// `pnpm agree`: how closely a backend agrees with HF transformers (f32, same dequantised weights) on the real Gemma 3 270M:
// 20 prompts continued greedily by 64 tokens, and 1632 teacher-forced rows of a long text. Writes docs/agreement.md.
//   --prompts N, --tokens N, --rows N   less of it, for a quick look (then nothing is written)
import { spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Gemma, openModel } from '../packages/core/src/index.ts'
import { readSafetensors, trace } from '../packages/core/src/inspect.ts'
import { reference } from '../packages/core/src/reference/index.ts'
import { compareGreedy, compareRows, type GreedyAgreement, type GreedyRow, type RowAgreement } from '../packages/core/src/testing/index.ts'
import { fetchModel } from './model-fetch.ts'

const { values } = parseArgs({
  options: { prompts: { type: 'string' }, tokens: { type: 'string' }, rows: { type: 'string' }, part: { type: 'string' } },
})
const fixtures = new URL('../packages/core/fixtures/real-270m/', import.meta.url)
const limit = (text: string | undefined, most: number): number => Math.min(most, text === undefined ? most : Number(text))

interface PromptResult extends GreedyAgreement {
  readonly prompt: string
}

async function agreePrompts(model: string): Promise<PromptResult[]> {
  const { rows }: { rows: GreedyRow[] } = JSON.parse(readFileSync(new URL('expected.json', fixtures), 'utf8'))
  const tokens = limit(values.tokens, 64)
  const gemma = await Gemma.load(model, { backend: reference(), numerics: 'exact', contextLength: 512 })
  const results: PromptResult[] = []
  for (const row of rows.slice(0, limit(values.prompts, rows.length))) {
    const { ids } = await gemma.generate(row.ids, { maxTokens: Math.min(tokens, row.greedy.length), temperature: 0 }).result
    const result = { prompt: row.prompt, ...compareGreedy(row, ids) }
    console.error(`${JSON.stringify(row.prompt)}: ${describe(result)}`)
    results.push(result)
  }
  await gemma.dispose()
  return results
}

async function agreeRows(model: string): Promise<RowAgreement> {
  const expected = await readSafetensors(readFileSync(new URL('long.safetensors', fixtures)))
  const ids = [...(expected.get('ids')?.data ?? [])]
  const rows = limit(values.rows, ids.length)
  const checkpoint = await openModel(model)
  const found = await trace(checkpoint, reference(), {
    ids: ids.slice(0, rows),
    logits: 256,
    chunk: 128,
    onProgress: ({ phase, loaded, total }) => phase === 'trace' && console.error(`long text: ${loaded} of ${total} rows`),
  })
  await checkpoint.close()
  return compareRows(expected, found, rows)
}

function describe({ steps, firstDifference, agrees }: GreedyAgreement): string {
  if (firstDifference === undefined) return `${steps} of ${steps} tokens equal`
  return `differs first at token ${firstDifference.step}, where HF's margin is ${firstDifference.margin}${agrees ? ' (below 1e-3: a tie)' : ''}`
}

/** The two halves run as processes of their own: the reference backend has one thread. */
function runPart<T>(part: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--conditions=@facetjs/source', ...process.argv.slice(1), `--part=${part}`], { stdio: ['ignore', 'pipe', 'inherit'] })
    let out = ''
    child.stdout.on('data', (chunk: Buffer) => {
      out += chunk.toString()
    })
    child.on('close', (code) => (code === 0 ? resolve(JSON.parse(out)) : reject(new Error(`${part} ended with ${code}`))))
  })
}

const model = await fetchModel()
if (values.part === 'prompts') {
  console.log(JSON.stringify(await agreePrompts(model)))
} else if (values.part === 'rows') {
  console.log(JSON.stringify(await agreeRows(model)))
} else {
  const start = performance.now()
  const [prompts, rows] = await Promise.all([runPart<PromptResult[]>('prompts'), runPart<RowAgreement>('rows')])
  const minutes = ((performance.now() - start) / 60_000).toFixed(1)
  const agreeing = prompts.filter((result) => result.agrees).length
  const report = `# Agreement with HF transformers

Written by \`pnpm agree\` on ${new Date().toISOString().slice(0, 10)} (Node ${process.version}, ${cpus()[0]?.model ?? 'unknown processor'}, ${minutes} minutes).

Model: Gemma 3 270M base, Q4_K_M GGUF (sha256 a5fd3b62…). Expected values: HF transformers 5.18.0 in f32 over the same dequantised
weights (\`packages/core/fixtures/real-270m\`). Greedy continuations may part where HF's two best logits are closer than 1e-3.
KL: mean over positions of Σ p (log p − log q) over HF's 20 best tokens.

| backend | greedy continuations that agree | identical | rows | top-1 | KL | largest KL of a row |
|---|---|---|---|---|---|---|
| reference | ${agreeing} of ${prompts.length} | ${prompts.filter((result) => result.firstDifference === undefined).length} of ${prompts.length} | ${rows.rows} | ${(rows.top1 * 100).toFixed(2)} % | ${rows.kl.toExponential(2)} | ${rows.worstKl.toExponential(2)} |

| prompt | reference |
|---|---|
${prompts.map((result) => `| ${JSON.stringify(result.prompt).replaceAll('|', '\\|')} | ${describe(result)} |`).join('\n')}
`
  console.log(report)
  const whole = values.prompts === undefined && values.tokens === undefined && values.rows === undefined
  if (whole) writeFileSync(fileURLToPath(new URL('../docs/agreement.md', import.meta.url)), report)
  process.exitCode = agreeing === prompts.length && rows.top1 >= 0.998 && Math.abs(rows.kl) <= 5e-5 ? 0 : 1
}
