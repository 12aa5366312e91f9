/** The conformance suite in a page, with a test runner of its own. */
import type { BackendFactory } from '@facetjs/core'
import { createOracle, describeConformance, type Oracle } from '@facetjs/core/testing'

/** A backend by name, with its options. */
export interface Variant {
  readonly backend: 'wasm' | 'webgpu'
  readonly options: Readonly<Record<string, unknown>>
  readonly numerics: readonly ('exact' | 'fast')[]
}

interface Test {
  readonly name: string
  readonly body: () => Promise<void>
}

export interface Report {
  readonly passed: number
  readonly failures: readonly string[]
}

export async function conformance(variants: readonly Variant[]): Promise<Report> {
  const oracle = createOracle()
  const reports: Report[] = []
  for (const variant of variants) {
    for (const numerics of variant.numerics) reports.push(await runVariant(variant, numerics, oracle))
  }
  return { passed: reports.reduce((sum, { passed }) => sum + passed, 0), failures: reports.flatMap(({ failures }) => failures) }
}

async function factoryOf({ backend, options }: Variant): Promise<BackendFactory> {
  return backend === 'wasm' ? (await import('@facetjs/backend-wasm')).wasm(options) : (await import('@facetjs/backend-webgpu')).webgpu(options)
}

async function runVariant(variant: Variant, numerics: 'exact' | 'fast', oracle: Oracle): Promise<Report> {
  const tests: Test[] = []
  const endings: (() => Promise<void>)[] = []
  describeConformance(
    { describe: (_, body) => body(), test: (name, body) => tests.push({ name, body }), afterAll: (body) => endings.push(body) },
    await factoryOf(variant),
    { numerics, oracle },
  )
  const failures: string[] = []
  for (const { name, body } of tests) {
    await body().catch((error: unknown) => failures.push(`${JSON.stringify(variant)} ${numerics}: ${name}: ${String(error)}`))
  }
  for (const end of endings) await end()
  return { passed: tests.length - failures.length, failures }
}
