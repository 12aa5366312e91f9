// `pnpm conformance`: how far backends agree with the reference and with HF transformers. Writes docs/conformance.md and .json.
//   --subject "webgpu exact"   one column alone (several times for several); all by default, but for the slow reference
//   --backend cuda             both columns of a backend: wasm, webgpu, cuda, reference. CUDA is emulated where there is no card (needs clang 19)
//   --subject transformers.js  the rows of tokenizer, template and image processor alone
//   --full                     the real Gemma 3 270M as well: 20 prompts × 64 tokens and 256 rows of a long text
//   --prompts N --tokens N --rows N --pictures N   less or more of it
import { spawn } from 'node:child_process'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { createOracle } from '../packages/core/src/testing/index.ts'
import { measureHuggingFace, writeHuggingFace } from './conformance/huggingface.ts'
import { type Measurement, measure } from './conformance/measure.ts'
import { mergeMeasurement, readResults, renderReport, writeResults } from './conformance/report.ts'
import { chooseSubjects, subjects } from './conformance/subjects.ts'
import { fetchModel } from './model-fetch.ts'
import { softwareVulkan } from './software-vulkan.ts'

const { values } = parseArgs({
  options: {
    subject: { type: 'string', multiple: true },
    backend: { type: 'string', multiple: true },
    full: { type: 'boolean', default: false },
    prompts: { type: 'string', default: '20' },
    tokens: { type: 'string', default: '64' },
    rows: { type: 'string', default: '256' },
    pictures: { type: 'string', default: '76' },
    measure: { type: 'string' },
  },
})

const { chosen, hasHuggingFace } = chooseSubjects(values)

/** Each subject is measured by a process of its own: what one device does to it does not touch the others. */
function measureApart(name: string): Promise<Measurement> {
  return new Promise((resolve, reject) => {
    const args = ['--conditions=@facetjs/source', ...process.argv.slice(1), '--measure', name]
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, ...softwareVulkan() } })
    let out = ''
    child.stdout.on('data', (chunk: Buffer) => {
      out += chunk.toString()
    })
    child.on('close', (code) => (code === 0 ? resolve(JSON.parse(out)) : reject(new Error(`${name}: ended with ${code}`))))
  })
}

const measured = subjects.find(({ name }) => name === values.measure)
if (measured === undefined) {
  let hasNews = hasHuggingFace
  for (const { name, open } of chosen) {
    const whyNot = await open().then(() => undefined, (error: unknown) => (error instanceof Error ? error.message : String(error)))
    if (whyNot !== undefined) {
      console.error(`${name} is left out: ${whyNot}`)
      if ((values.subject ?? values.backend) !== undefined) process.exitCode = 1 // it was asked for
      continue
    }
    const found = await measureApart(name)
    const known = readResults()
    writeResults({ ...known, [name]: mergeMeasurement(known[name], found) })
    hasNews = true
    for (const problem of found.problems) console.error(problem)
    if (found.problems.length > 0) process.exitCode = 1
  }
  if (hasHuggingFace) {
    writeHuggingFace(await measureHuggingFace())
    writeResults(readResults())
  }
  if (hasNews) console.log(renderReport(readResults()))
} else {
  const real = values.full ? { model: await fetchModel(), prompts: Number(values.prompts), tokens: Number(values.tokens), rows: Number(values.rows) } : undefined
  const found = await measure(measured, { oracle: createOracle(), pictures: Number(values.pictures), say: (line) => console.error(line), ...(real !== undefined && { real }) })
  console.log(JSON.stringify(found))
}
