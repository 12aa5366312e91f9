// `pnpm conformance`: how far backends agree with the reference and with HF transformers. Writes docs/conformance.md and .json.
//   --subject "webgpu exact"   one column alone (several times for several); all by default, but for the slow reference
//   --full                     the real Gemma 3 270M as well: 20 prompts × 64 tokens and 256 rows of a long text
//   --prompts N --tokens N --rows N --pictures N   less or more of it
import process from 'node:process'
import { parseArgs } from 'node:util'
import { createOracle, measure } from './conformance/measure.ts'
import { readResults, renderReport, writeResults } from './conformance/report.ts'
import { subjects } from './conformance/subjects.ts'
import { fetchModel } from './model-fetch.ts'

const { values } = parseArgs({
  options: {
    subject: { type: 'string', multiple: true },
    full: { type: 'boolean', default: false },
    prompts: { type: 'string', default: '20' },
    tokens: { type: 'string', default: '64' },
    rows: { type: 'string', default: '256' },
    pictures: { type: 'string', default: '76' },
  },
})

const wanted = subjects.filter(({ name }) => values.subject?.includes(name) ?? name !== 'reference exact')
if (wanted.length === 0) throw new Error(`There is no subject ${values.subject?.join(', ')}. Choose among: ${subjects.map(({ name }) => name).join(', ')}.`)

const real = values.full ? { model: await fetchModel(), prompts: Number(values.prompts), tokens: Number(values.tokens), rows: Number(values.rows) } : undefined
const oracle = createOracle()
for (const subject of wanted) {
  const found = await measure(subject, { oracle, pictures: Number(values.pictures), say: (line) => console.error(line), ...(real !== undefined && { real }) })
  const known = readResults()
  // What was not measured this time stays as it was.
  writeResults({ ...known, [subject.name]: { ...known[subject.name], ...found } })
  for (const problem of found.problems) console.error(problem)
  if (found.problems.length > 0) process.exitCode = 1
}
console.log(renderReport(readResults()))
