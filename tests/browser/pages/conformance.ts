/** The conformance suite in a page, with a test runner of its own. */
import { wasm, type WasmOptions } from '@facetjs/backend-wasm'
import { createOracle, describeConformance, type Oracle } from '@facetjs/core/testing'

interface Test {
  readonly name: string
  readonly body: () => Promise<void>
}

export interface Report {
  readonly passed: number
  readonly failures: readonly string[]
}

export async function conformance(variants: readonly WasmOptions[]): Promise<Report> {
  const oracle = createOracle()
  const reports: Report[] = []
  for (const options of variants) {
    for (const numerics of ['exact', 'fast'] as const) reports.push(await runVariant(options, numerics, oracle))
  }
  return { passed: reports.reduce((sum, { passed }) => sum + passed, 0), failures: reports.flatMap(({ failures }) => failures) }
}

async function runVariant(options: WasmOptions, numerics: 'exact' | 'fast', oracle: Oracle): Promise<Report> {
  const tests: Test[] = []
  const endings: (() => Promise<void>)[] = []
  describeConformance(
    { describe: (_, body) => body(), test: (name, body) => tests.push({ name, body }), afterAll: (body) => endings.push(body) },
    wasm(options),
    { numerics, oracle },
  )
  const failures: string[] = []
  for (const { name, body } of tests) {
    await body().catch((error: unknown) => failures.push(`${JSON.stringify(options)} ${numerics}: ${name}: ${String(error)}`))
  }
  for (const end of endings) await end()
  return { passed: tests.length - failures.length, failures }
}
