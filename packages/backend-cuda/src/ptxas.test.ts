import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { afterAll, describe, expect, it } from 'vitest'
import { assemble, type KernelUse, PTXAS } from '../native/ptxas-run.ts'
import { findProgram } from '../native/wheel.ts'

/** The assembler, or why there is none. In CI there must be one. */
const ptxas = await findProgram(PTXAS).catch((error: unknown) => {
  if (process.env['FACET_REQUIRE_PTXAS'] === '1') throw error
  return error instanceof Error ? error : new Error(String(error))
})
const isMissing = ptxas instanceof Error
const folder = await mkdtemp(join(tmpdir(), 'facet-ptxas-'))
afterAll(() => rm(folder, { recursive: true }))

/** A kernel that keeps `values` numbers at once: all are read before the first is written. */
function kernelText({ values = 1, directives = '', sharedBytes = 0 }: { readonly values?: number; readonly directives?: string; readonly sharedBytes?: number }): string {
  const each = (line: (index: number) => string): string => Array.from({ length: values }, (_, index) => line(index)).join('\n')
  return `.version 7.0
.target sm_80
.address_size 64
.visible .entry k(.param .u64 p)
${directives}
{
  .reg .u64 %a;
  .reg .f32 %f<${values}>;
  ${sharedBytes > 0 ? `.shared .align 4 .b8 s[${sharedBytes}];\n  .reg .u64 %s; mov.u64 %s, s; st.volatile.u64 [s], %s;` : ''}
  ld.param.u64 %a, [p];
  cvta.to.global.u64 %a, %a;
  ${each((index) => `ld.volatile.global.f32 %f${index}, [%a+${4 * index}];`)}
  ${each((index) => `st.volatile.global.f32 [%a+${4 * index}], %f${index};`)}
  ret;
}
`
}

async function assembleText(text: string): Promise<readonly KernelUse[]> {
  if (isMissing) throw ptxas
  const file = join(folder, 'k.ptx')
  await writeFile(file, text)
  return await assemble(ptxas, file, 'sm_80')
}

describe.skipIf(isMissing)(`what ptxas says of a kernel${isMissing ? ` (skipped: ${ptxas.message})` : ''}`, () => {
  it('a plain one has no fault', async () => {
    const [use] = await assembleText(kernelText({ values: 40 }))
    expect(use).toMatchObject({ kernel: 'k', sharedBytes: 0, faults: [] })
    expect(use?.registers).toBeGreaterThan(40)
  })

  it('spills are faults', async () => {
    expect(await assembleText(kernelText({ values: 100, directives: '.maxnreg 32' }))).toMatchObject([{ faults: [expect.stringMatching(/^it spills \d+ bytes$/)] }])
  })

  it('so are more registers than a block can have: 512 threads where nothing else is said', async () => {
    expect(await assembleText(kernelText({ values: 150 }))).toMatchObject([{ faults: [expect.stringMatching(/^\d+ registers are too many for 512 threads$/)] }])
    expect(await assembleText(kernelText({ values: 150, directives: '.maxntid 128, 2, 1' }))).toMatchObject([{ faults: [] }])
  })

  it('what ptxas refuses is an error: too much shared memory, no PTX', async () => {
    expect(await assembleText(kernelText({ sharedBytes: 48 * 1024 }))).toMatchObject([{ sharedBytes: 48 * 1024, faults: [] }])
    await expect(assembleText(kernelText({ sharedBytes: 48 * 1024 + 16 }))).rejects.toThrow(/ptxas refuses .*shared data/)
    await expect(assembleText('.version 7.0\n.target sm_80\nno ptx')).rejects.toThrow(/ptxas refuses .* for sm_80/)
  })
})
