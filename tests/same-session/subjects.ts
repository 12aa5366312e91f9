/** Every way to the same session: in this process, behind Facet's server, behind vLLM. */
import process from 'node:process'
import { wasm } from '../../packages/backend-wasm/src/index.ts'
import { Gemma } from '../../packages/core/src/index.ts'
import { demoModel } from '../../packages/demo-model/src/index.ts'
import { connect } from '../../packages/remote/src/index.ts'
import { serve } from '../../packages/server/src/index.ts'

/** Small, so that it can be filled; vLLM gets it as --max-model-len. */
export const contextLength = 512

/** What a subject cannot have the same, and why. What is not named here is the same. */
export interface Exceptions {
  /** `context`, `score`, `inspect` and `profile` are refused. */
  readonly looking?: string
  /** Control tokens written in a user's text are control tokens. */
  readonly controlStrings?: string
  /** A seed gives other answers than locally (but the same each time). */
  readonly randomNumbers?: string
  /** Temperatures above 2 are refused. */
  readonly hotTemperatures?: string
  /** Log-probabilities after a picture are others; what is certain is said all the same. */
  readonly pictureAttention?: string
}

export interface Opened {
  readonly gemma: Gemma
  close(): Promise<void>
}

export interface Subject {
  readonly name: string
  readonly exceptions: Exceptions
  /** Why it is not there. */
  readonly skipped?: string
  readonly open: () => Promise<Opened>
}

export const openLocal = (): Promise<Gemma> => Gemma.load(demoModel.gguf, { backend: wasm({ threads: 1 }), numerics: 'exact', contextLength, idleCaches: 4 })

const looking = 'the protocol carries texts and log-probabilities, no hidden states and no attention'

const local: Subject = {
  name: 'in this process',
  exceptions: {},
  async open() {
    const gemma = await openLocal()
    return { gemma, close: () => gemma.dispose() }
  },
}

const facet: Subject = {
  name: 'behind facet serve',
  exceptions: { looking },
  async open() {
    const served = await openLocal()
    const server = await serve(served, { port: 0 })
    const gemma = await connect({ baseUrl: server.url })
    return {
      gemma,
      async close() {
        await gemma.dispose()
        await server.close()
        await served.dispose()
      },
    }
  },
}

const vllmUrl = process.env['FACET_VLLM_URL'] ?? ''

export const vllm: Subject = {
  name: 'behind vLLM',
  ...(vllmUrl === '' && { skipped: 'FACET_VLLM_URL names none; pnpm test:vllm starts one' }),
  exceptions: {
    looking,
    controlStrings: "vLLM tokenises the rendered prompt as one text, in which everybody's control strings are control tokens",
    randomNumbers: "vLLM draws with PyTorch's generator",
    hotTemperatures: 'vLLM takes 0 to 2, as OpenAI does',
    pictureAttention: "vLLM's attention on a CPU is causal within a picture, where Gemma's is not (on GPUs its Triton, FlexAttention and FlashAttention 4 backends are right)",
  },
  async open() {
    await using sample = await openLocal() // vLLM does not say what its model looks like
    const gemma = await connect({ baseUrl: vllmUrl, config: sample.config })
    return { gemma, close: () => gemma.dispose() }
  },
}

export const subjects: readonly Subject[] = [local, facet, vllm]
