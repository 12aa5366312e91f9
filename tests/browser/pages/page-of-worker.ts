/** The page's side of worker.ts. */
import { connectGemma, GemmaError, type Gemma, type GemmaClient, type GenerationStream } from '@facetjs/core'
import { demoModel } from '@facetjs/demo-model'
import { type Answer, ask, endless } from './ask.ts'

interface Running {
  readonly worker: Worker
  readonly client: GemmaClient
  readonly gemma: Gemma
}

async function start(workerAddress: string): Promise<Running> {
  const worker = new Worker(workerAddress, { type: 'module' })
  const client = connectGemma(worker)
  const gemma = await client.load(demoModel.gguf, { backend: 'wasm', numerics: 'exact' })
  return { worker, client, gemma }
}

export async function answer(workerAddress: string): Promise<Answer & { readonly loadMs: number }> {
  const begin = performance.now()
  const { client, gemma } = await start(workerAddress)
  const loadMs = performance.now() - begin
  const result = await ask(gemma)
  await client.dispose()
  return { ...result, loadMs }
}

/** Reads until `count` pieces of text have come, does `act`, and says what the answer then fails with. */
async function failureAfter(stream: GenerationStream, count: number, act: () => void): Promise<unknown> {
  let heard = 0
  try {
    for await (const part of stream) if (part.type === 'text' && ++heard === count) act()
  } catch (error) {
    return await stream.result.then(
      () => 'the loop threw, the result did not',
      (reason: unknown) => (reason === error ? reason : 'the loop and the result threw different things'),
    )
  }
  return 'nothing'
}

export async function abort(workerAddress: string): Promise<{ readonly isReason: boolean; readonly next: string }> {
  const { client, gemma } = await start(workerAddress)
  const controller = new AbortController()
  const reason = new Error('enough')
  const thrown = await failureAfter(gemma.generate('Tell me', { ...endless, signal: controller.signal }), 5, () => controller.abort(reason))
  const { text } = await gemma.chat().send('Count to 5.', { temperature: 0 }).result
  await client.dispose()
  return { isReason: thrown === reason, next: text }
}

export async function terminate(workerAddress: string): Promise<readonly string[]> {
  const { worker, gemma } = await start(workerAddress)
  const thrown = await failureAfter(gemma.generate('Tell me', endless), 5, () => worker.terminate())
  const later = await gemma.countTokens('more').catch((error: unknown) => error)
  return [thrown, later].map((error) => (GemmaError.is(error) ? error.code : String(error)))
}
