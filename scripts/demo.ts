/** `npm run demo`: the smallest Gemma 3 there is looks at a picture and answers three questions, on the WASM backend. */
import { readFile } from 'node:fs/promises'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { wasm } from '../packages/backend-wasm/src/index.ts'
import { drawPicture } from '../packages/cli/src/draw-picture.ts'
import { decodeImage, Gemma } from '../packages/core/src/index.ts'
import type { UserContent } from '../packages/core/src/index.ts'
import { demoModel } from '../packages/demo-model/src/index.ts'

const questions = ['Tell me about yourself.', 'What is the opposite of night?', 'Count to 5.']

console.log('Facet: Gemma 3 in TypeScript.')
console.log('A model of 2.7 million parameters describes a picture and answers questions. It comes with this repository: nothing is downloaded.\n')

await using gemma = await Gemma.load(demoModel.gguf, { backend: wasm() })
console.log(`Backend: ${gemma.device.device}\n`)

let tokens = 0
let decodeMs = 0

/** Prints the answer as it comes. */
async function ask(content: UserContent): Promise<void> {
  await using chat = gemma.chat()
  const stream = chat.send(content, { temperature: 0, maxTokens: 64 })
  for await (const text of stream.textStream) process.stdout.write(text)
  const { usage, timings } = await stream.result
  process.stdout.write('\n\n')
  tokens += usage.generatedTokens
  decodeMs += timings.decodeMs
}

const picture = await decodeImage(await readFile(demoModel.picture))
if (!(await drawPicture(picture, process.stdout))) console.log(`The picture: ${fileURLToPath(demoModel.picture)}`)
console.log('> Describe the image.')
await ask([picture, 'Describe the image.'])

for (const question of questions) {
  console.log(`> ${question}`)
  await ask(question)
}
console.log(`${tokens} tokens, ${((1000 * tokens) / decodeMs).toFixed(0)} a second, on the CPU in WebAssembly.

Try next:
  pnpm facet chat                       talk to the demo model
  pnpm facet run --image packages/demo-model/pictures/shapes.png "How many shapes are there?"
  pnpm facet describe 4b                what a Gemma 3 4B is made of
  pnpm model:fetch                      get the real Gemma 3 270M (253 MB), then
  pnpm facet run --model .models/gemma-3-270m-q4_k_m.gguf --raw --max-tokens 8 "The capital of Japan is"
  npm test                              every test
(no pnpm? "npm run facet -- chat" does the same)`)
