/** The conformance suite in a page or a worker of it, with a test runner of its own. */
import type { BackendFactory } from '@facetjs/core'
import { conformanceCases, createOracle, describeConformance, type Oracle } from '@facetjs/core/testing'

/** A backend by name, with its options. */
export interface Variant {
  readonly backend: 'wasm' | 'webgpu'
  readonly options: Readonly<Record<string, unknown>>
  readonly numerics: readonly ('exact' | 'fast')[]
  /** Default: all. `few`: two of each step kind, two models, and every lifecycle case. */
  readonly cases?: 'all' | 'few'
}

interface Test {
  readonly name: string
  readonly body: () => Promise<void>
}

export interface Report {
  readonly isolated: boolean
  readonly isWorker: boolean
  /** Those that were opened, each once. */
  readonly devices: readonly string[]
  readonly passed: number
  readonly failures: readonly string[]
}

type Outcome = Pick<Report, 'passed' | 'failures' | 'devices'>

export async function conformance(variants: readonly Variant[]): Promise<Report> {
  const oracle = createOracle()
  const outcomes: Outcome[] = []
  for (const variant of variants) {
    for (const numerics of variant.numerics) outcomes.push(await runVariant(variant, numerics, oracle))
  }
  return {
    isolated: crossOriginIsolated,
    isWorker: !('document' in globalThis),
    devices: [...new Set(outcomes.flatMap(({ devices }) => devices))],
    passed: outcomes.reduce((sum, { passed }) => sum + passed, 0),
    failures: outcomes.flatMap(({ failures }) => failures),
  }
}

/** The same in conformance-worker.ts. */
export async function conformanceInWorker({ workerAddress, variants }: { readonly workerAddress: string; readonly variants: readonly Variant[] }): Promise<Report> {
  const worker = new Worker(workerAddress, { type: 'module' })
  try {
    return await new Promise((resolve, reject) => {
      worker.addEventListener('message', ({ data }) => (typeof data === 'string' ? reject(new Error(data)) : resolve(data)))
      worker.addEventListener('error', ({ message }) => reject(new Error(message)))
      worker.postMessage(variants)
    })
  } finally {
    worker.terminate()
  }
}

async function factoryOf({ backend, options }: Variant): Promise<BackendFactory> {
  return backend === 'wasm' ? (await import('@facetjs/backend-wasm')).wasm(options) : (await import('@facetjs/backend-webgpu')).webgpu(options)
}

async function runVariant(variant: Variant, numerics: 'exact' | 'fast', oracle: Oracle): Promise<Outcome> {
  const tests: Test[] = []
  const endings: (() => Promise<void>)[] = []
  const devices: string[] = []
  const factory = await factoryOf(variant)
  const watched: BackendFactory = {
    name: factory.name,
    async open(options) {
      const backend = await factory.open(options)
      devices.push(backend.device)
      return backend
    },
  }
  describeConformance(
    { describe: (_, body) => body(), test: (name, body) => tests.push({ name, body }), afterAll: (body) => endings.push(body) },
    watched,
    { numerics, oracle },
  )
  const few = variant.cases === 'few' ? fewCases() : undefined
  const wanted = tests.filter(({ name }) => few?.has(name) ?? true)
  const failures: string[] = []
  for (const { name, body } of wanted) {
    await body().catch((error: unknown) => failures.push(`${JSON.stringify(variant)} ${numerics}: ${name}: ${String(error)}`))
  }
  for (const end of endings) await end()
  return { passed: wanted.length - failures.length, failures, devices }
}

/** Names. The last model is the one with pictures in chunks. */
function fewCases(): ReadonlySet<string> {
  const kinds = Map.groupBy(conformanceCases(), (testCase) => (testCase.kind === 'step' ? testCase.op : testCase.kind))
  return new Set([...kinds].flatMap(([kind, cases]) => (kind === 'lifecycle' ? cases : [cases[0], cases[cases.length - 1]])).map(({ name }) => name))
}
