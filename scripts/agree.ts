// `pnpm agree`: how closely a backend agrees with HF transformers (f32, same dequantised weights) on the real Gemma 3 270M:
// 20 prompts continued greedily by 64 tokens, and 1632 teacher-forced rows of a long text. Writes docs/agreement.md and .json.
//   --backend wasm|webgpu|reference|native   what to measure; wasm by default. native: llama.cpp through node-llama-cpp
//   --numerics exact|fast                    wasm and webgpu; both by default
//   --all                             every row of the table, the slow reference too
//   --prompts N, --tokens N, --rows N   less of it, for a quick look (then nothing is written)
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { cpus } from 'node:os'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { readSafetensors } from '../packages/core/src/inspect.ts'
import { reference } from '../packages/core/src/reference/index.ts'
import { compareGreedy, compareRows, type GreedyRow, type RowAgreement } from '../packages/core/src/testing/index.ts'
import { facetSubject } from './agreement/facet-subject.ts'
import { type AgreementEntry, describe, type PromptResult, readResults, renderReport, shortfalls, type SubjectName, subjects, writeResults } from './agreement/report.ts'
import type { AgreementSubject } from './agreement/subject.ts'
import { installPeers } from './bench-peers.ts'
import { fetchModel } from './model-fetch.ts'
import { softwareVulkan } from './software-vulkan.ts'

const { values } = parseArgs({
  options: {
    backend: { type: 'string', default: 'wasm' },
    numerics: { type: 'string' },
    all: { type: 'boolean', default: false },
    prompts: { type: 'string' },
    tokens: { type: 'string' },
    rows: { type: 'string' },
    part: { type: 'string' },
    subject: { type: 'string' },
  },
})
const fixtures = new URL('../packages/core/fixtures/real-270m/', import.meta.url)
const limit = (text: string | undefined, most: number): number => Math.min(most, text === undefined ? most : Number(text))

async function openSubject(name: SubjectName, model: string): Promise<AgreementSubject> {
  switch (name) {
    case 'reference exact':
      return facetSubject(model, reference(), 'exact')
    case 'wasm exact':
    case 'wasm fast': {
      const { wasm } = await import('../packages/backend-wasm/src/index.ts')
      return facetSubject(model, wasm(), name === 'wasm exact' ? 'exact' : 'fast')
    }
    case 'webgpu exact':
    case 'webgpu fast': {
      const { webgpu } = await import('../packages/backend-webgpu/src/index.ts')
      return facetSubject(model, webgpu(), name === 'webgpu exact' ? 'exact' : 'fast')
    }
    case 'native': {
      installPeers()
      const { nativeSubject } = await import('../bench/agreement-native.ts')
      return await nativeSubject(model, 2048)
    }
  }
}

async function agreePrompts(subject: AgreementSubject): Promise<PromptResult[]> {
  const { rows }: { rows: GreedyRow[] } = JSON.parse(readFileSync(new URL('expected.json', fixtures), 'utf8'))
  const tokens = limit(values.tokens, 64)
  const results: PromptResult[] = []
  for (const row of rows.slice(0, limit(values.prompts, rows.length))) {
    const ids = await subject.continueGreedily(row.ids, Math.min(tokens, row.greedy.length))
    const result = { prompt: row.prompt, ...compareGreedy(row, ids, tokens) }
    console.error(`${JSON.stringify(row.prompt)}: ${describe(result)}`)
    results.push(result)
  }
  return results
}

async function agreeRows(subject: AgreementSubject): Promise<RowAgreement> {
  const expected = await readSafetensors(readFileSync(new URL('long.safetensors', fixtures)))
  const ids = [...(expected.get('ids')?.data ?? [])]
  const rows = limit(values.rows, ids.length)
  const found = await subject.traceRows(ids.slice(0, rows), (done) => done % 128 === 0 && console.error(`long text: ${done} of ${rows} rows`))
  return compareRows(expected, found, rows)
}

/** Each half runs as a process of its own. */
function runPart<T>(part: 'prompts' | 'rows', subject: SubjectName): Promise<T> {
  return new Promise((resolve, reject) => {
    const args = ['--conditions=@facetjs/source', ...process.argv.slice(1), `--part=${part}`, `--subject=${subject}`]
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, ...softwareVulkan() } })
    let out = ''
    child.stdout.on('data', (chunk: Buffer) => {
      out += chunk.toString()
    })
    child.on('close', (code) => (code === 0 ? resolve(JSON.parse(out)) : reject(new Error(`${subject}, ${part}: ended with ${code}`))))
  })
}

async function measure(subject: SubjectName): Promise<AgreementEntry> {
  console.error(`${subject}:`)
  const start = performance.now()
  const prompts = runPart<PromptResult[]>('prompts', subject)
  if (subject !== 'reference exact') await prompts // the others use every core; the reference has one thread
  const [promptResults, rows] = await Promise.all([prompts, runPart<RowAgreement>('rows', subject)])
  return {
    date: new Date().toISOString().slice(0, 10),
    machine: `Node ${process.version}, ${cpus()[0]?.model ?? 'unknown processor'}`,
    minutes: (performance.now() - start) / 60_000,
    prompts: promptResults,
    rows,
  }
}

function wantedSubjects(): readonly SubjectName[] {
  if (values.all) return subjects
  const wanted = subjects.filter((name) => name.startsWith(values.backend) && (values.numerics === undefined || !/exact|fast/.test(name) || name.endsWith(values.numerics)))
  if (wanted.length > 0) return wanted
  throw new Error(`There is no --backend ${values.backend} --numerics ${values.numerics ?? ''} to measure. Choose wasm, webgpu, reference or native, and exact or fast.`)
}

const model = await fetchModel()
const subjectOfPart = subjects.find((name) => name === values.subject)
if (values.part !== undefined && subjectOfPart !== undefined) {
  const subject = await openSubject(subjectOfPart, model)
  const result = values.part === 'prompts' ? await agreePrompts(subject) : await agreeRows(subject)
  await subject.dispose()
  console.log(JSON.stringify(result))
} else {
  const whole = values.prompts === undefined && values.tokens === undefined && values.rows === undefined
  const wanted = wantedSubjects()
  const measured: Partial<Record<SubjectName, AgreementEntry>> = {}
  for (const name of wanted) {
    measured[name] = await measure(name)
    if (whole) writeResults({ ...readResults(), ...measured })
  }
  const results = readResults()
  console.log(renderReport(whole ? results : measured))
  for (const name of wanted) {
    const wrong = measured[name] === undefined ? [] : shortfalls(name, measured[name], results.native)
    for (const line of wrong) console.error(`${name}: ${line}`)
    if (wrong.length > 0) process.exitCode = 1
  }
}
