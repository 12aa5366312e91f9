import process from 'node:process'
import { wasm } from '@facetjs/backend-wasm'
import { Gemma } from '@facetjs/core'
import { demoModel } from '@facetjs/demo-model'

const question = process.argv[2] ?? 'What is the opposite of night?'

// The real one, 290 MB, downloaded once: 'hf:ggml-org/gemma-3-270m-it-GGUF'
const gemma = await Gemma.load(demoModel.gguf, { backend: wasm() })
const answer = gemma.chat().send(question)
for await (const text of answer.textStream) process.stdout.write(text)

const { timings } = await answer.result
console.log(`\n${timings.decodeTokensPerSecond.toFixed(0)} tokens/s on ${gemma.device.device}`)
await gemma.dispose()
