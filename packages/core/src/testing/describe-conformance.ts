import type { Backend, BackendFactory } from '../backend.ts'
import { type CheckOptions, checkCase, conformanceCases } from './conformance.ts'

/** The functions of vitest, jest, node:test, … that the suite needs. */
export interface TestFunctions {
  readonly describe: (name: string, body: () => void) => unknown
  readonly test: (name: string, body: () => Promise<void>) => unknown
  readonly afterAll: (body: () => Promise<void>) => unknown
}

export interface Skip {
  /** A case's full name. */
  readonly case: string
  readonly reason: string
  /** Where it is being worked on. */
  readonly issue: string
}

export interface ConformanceOptions extends CheckOptions {
  /** Cases known to fail. One that passes again fails the suite, so that the list cannot rot. */
  readonly skip?: readonly Skip[]
}

/**
 * The conformance suite for one backend:
 *
 *     import { afterAll, describe, test } from 'vitest'
 *     describeConformance({ afterAll, describe, test }, wasm(), { numerics: 'exact' })
 */
export function describeConformance({ afterAll, describe, test }: TestFunctions, factory: BackendFactory, options: ConformanceOptions): void {
  const skips = new Map((options.skip ?? []).map((skip) => [skip.case, skip]))
  describe(`conformance of ${factory.name}, ${options.numerics}`, () => {
    const shared = openOnce(factory)
    afterAll(shared.dispose)
    for (const testCase of conformanceCases()) {
      const skip = skips.get(testCase.name)
      test(skip === undefined ? testCase.name : `${testCase.name} (known: ${skip.reason}, ${skip.issue})`, async () => {
        const { problems } = await checkCase(testCase, shared.factory, options)
        if (skip === undefined && problems.length > 0) throw new Error(problems.join('\n'))
        if (skip !== undefined && problems.length === 0) throw new Error(`${testCase.name} passes now: take it off the skip list`)
      })
    }
  })
}

/** A factory whose backend is opened at the first case and serves them all: that memory comes back is part of what is tested. */
function openOnce(factory: BackendFactory): { readonly factory: BackendFactory; readonly dispose: () => Promise<void> } {
  let opened: Promise<Backend> | undefined
  return {
    factory: {
      name: factory.name,
      async open(options) {
        opened ??= factory.open(options)
        return { ...(await opened), dispose: async () => {} }
      },
    },
    dispose: async () => (await opened)?.dispose(),
  }
}
