// The emulator's own test: native/emulator/selftest, compiled and run; emulated.
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { build } from '../native/build.ts'
import { findCompiler } from '../native/compiler.ts'

const run = promisify(execFile)
const why = await findCompiler().then(() => undefined, String)

interface Outcome {
  readonly passed: readonly string[]
  readonly failed: readonly string[]
}

async function selftest(program: string, ...names: readonly string[]): Promise<Outcome> {
  // Faults are told on stderr too: most cases make some.
  const { stdout } = await run(program, names, { maxBuffer: 2 ** 24 }).catch((error: unknown) => {
    if (error instanceof Error && 'stdout' in error) return { stdout: `${String(error.stdout)}\nFAILED program: ${error.message.slice(-4000)}` }
    throw error
  })
  const lines = stdout.split('\n')
  return { passed: lines.filter((line) => line.startsWith('ok ')).map((line) => line.slice(3)), failed: lines.filter((line) => line.startsWith('FAILED ')) }
}

describe.skipIf(why !== undefined)(`the emulator${why === undefined ? '' : ` (skipped: ${why})`}`, { timeout: 900_000 }, () => {
  test('does what the device does, and finds what kernels do wrong', async () => {
    const { selftest: program } = await build({ selftest: true })
    const { passed, failed } = await selftest(program)
    expect(failed).toEqual([])
    expect(passed).toContain('racesAreFound')
    expect(passed.length).toBeGreaterThan(50)
  })

  test('does so under AddressSanitizer and UndefinedBehaviorSanitizer, and leaks nothing', async () => {
    const { selftest: program } = await build({ selftest: true }, { sanitize: true })
    const { passed, failed } = await selftest(program)
    expect(failed).toEqual([])
    expect(passed.length).toBeGreaterThan(50)
  })

  test('fails when a case does not exist', async () => {
    const { selftest: program } = await build({ selftest: true })
    expect((await selftest(program, 'noSuchCase')).failed).toHaveLength(1)
  })
})
