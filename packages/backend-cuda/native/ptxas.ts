// Proves without a GPU that the PTX is sound: node --conditions=@facetjs/source native/ptxas.ts
// Builds it, has NVIDIA's assembler translate every module for every generation of GPUs, and prints what each kernel takes. Fails on
// errors, spills, and more registers or shared memory than a block can have; and where a second build gives another text.
//   FACET_REQUIRE_PTXAS=1   fails, too, where clang or the assembler are not to be had; else that is said and nothing is checked
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import process from 'node:process'
import { build, ptxTexts } from './build.ts'
import { makeAll, type Product } from './compile.ts'
import { findCompiler } from './compiler.ts'
import { assemble, type KernelUse, PTXAS } from './ptxas-run.ts'
import { findProgram } from './wheel.ts'

/** Turing, Ampere, its GeForce, Ada, Hopper, Blackwell, its GeForce. */
const gpus = [75, 80, 86, 89, 90, 100, 120] as const
/** Assemblers that run at once. */
const PARALLEL = 2

const archOf = (text: Product): number => Number(basename(dirname(text.file)).replace('sm_', ''))

/** The newest PTX that a GPU can run, as `src/modules.ts` takes it. */
function textsFor(gpu: number, texts: readonly Product[]): readonly Product[] {
  const newest = Math.max(...texts.map(archOf).filter((arch) => arch <= gpu))
  return texts.filter((text) => archOf(text) === newest)
}

/** The texts lie in ptx/. @returns the problems found */
async function checkAll(ptxas: string, texts: readonly Product[]): Promise<readonly string[]> {
  const problems: string[] = []
  const table = new Map<string, Map<number, KernelUse>>()
  const queue = gpus.flatMap((gpu) => textsFor(gpu, texts).map((text) => ({ gpu, text })))
  console.log(`${queue.length} modules: ${texts.length} texts for ${gpus.map((gpu) => `sm_${gpu}`).join(', ')}`)
  const work = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const { gpu, text } = next
      try {
        for (const use of await assemble(ptxas, text.file, `sm_${gpu}`)) {
          table.set(use.kernel, (table.get(use.kernel) ?? new Map<number, KernelUse>()).set(gpu, use))
          problems.push(...use.faults.map((fault) => `${use.kernel} for sm_${gpu}: ${fault}`))
        }
      } catch (error) {
        problems.push(error instanceof Error ? error.message : String(error))
      }
    }
  }
  await Promise.all(Array.from({ length: PARALLEL }, work))
  print(table)
  return problems
}

function print(table: ReadonlyMap<string, ReadonlyMap<number, KernelUse>>): void {
  const cells = (name: string, values: readonly string[]): void => console.log(`${name.padEnd(36)}${values.map((value) => value.padStart(11)).join('')}`)
  cells('registers/shared bytes', gpus.map((gpu) => `sm_${gpu}`))
  for (const [kernel, uses] of [...table].toSorted(([a], [b]) => a.localeCompare(b))) {
    cells(kernel, gpus.map((gpu) => uses.get(gpu)).map((use) => (use === undefined ? '-' : `${use.registers}/${use.sharedBytes}`)))
  }
  const uses = [...table.values()].flatMap((each) => [...each.values()])
  console.log(`${table.size} kernels; at most ${Math.max(...uses.map(({ registers }) => registers))} registers, ${Math.max(...uses.map(({ sharedBytes }) => sharedBytes))} bytes of shared memory`)
}

/** The largest text, built once more. @returns the problem, where there is one */
async function checkDeterminism(texts: readonly Product[]): Promise<readonly string[]> {
  const contents = await Promise.all(texts.map(async (text) => ({ text, content: await readFile(text.file, 'utf8') })))
  const [largest] = contents.toSorted((a, b) => b.content.length - a.content.length)
  if (largest === undefined) return ['There are no texts.']
  const folder = await mkdtemp(join(tmpdir(), 'facet-ptx-'))
  try {
    const file = join(folder, 'again.ptx')
    await makeAll([{ ...largest.text, file, notes: file }])
    return (await readFile(file, 'utf8')) === largest.content ? [] : [`${largest.text.file} differs when it is built again.`]
  } finally {
    await rm(folder, { recursive: true })
  }
}

async function tools(): Promise<{ readonly compiler: string; readonly ptxas: string } | undefined> {
  try {
    return { compiler: await findCompiler(), ptxas: await findProgram(PTXAS) }
  } catch (error) {
    console.log(`PTX is not checked. ${error instanceof Error ? error.message : String(error)}`)
    process.exitCode = process.env['FACET_REQUIRE_PTXAS'] === '1' ? 1 : 0
    return undefined
  }
}

const start = performance.now()
const found = await tools()
if (found !== undefined) {
  await build({ ptx: true })
  const built = performance.now()
  const texts = await ptxTexts(found.compiler)
  const problems = [...(await checkAll(found.ptxas, texts)), ...(await checkDeterminism(texts))]
  for (const problem of problems) console.error(problem)
  console.log(`${problems.length} problems; PTX up to date after ${((built - start) / 1000).toFixed(1)} s, checked in ${((performance.now() - built) / 1000).toFixed(1)} s`)
  process.exitCode = problems.length > 0 ? 1 : 0
}
