/** Compiles and links what has changed since it was last compiled. */
import { execFile } from 'node:child_process'
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import process from 'node:process'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** One file from one or several others. */
export interface Product {
  readonly file: string
  readonly compiler: string
  /** Without the output. */
  readonly args: readonly string[]
  /** What it is made from; headers come to it by themselves. */
  readonly inputs: readonly string[]
  /** The compiler is asked which headers it read. */
  readonly hasHeaders: boolean
  /** Where is noted what it was made from. Default: beside it. */
  readonly notes?: string
}

/** Compilers that run at once. */
const PARALLEL = 2

/** @returns those that were made anew. @throws Error with what the compiler said */
export async function makeAll(products: readonly Product[]): Promise<readonly Product[]> {
  const stale = (await Promise.all(products.map(async (product) => ((await isFresh(product)) ? [] : [product])))).flat()
  const queue = [...stale]
  const work = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) await make(next)
  }
  const results = await Promise.allSettled(Array.from({ length: PARALLEL }, work))
  for (const result of results) if (result.status === 'rejected') throw result.reason
  return stale
}

async function make({ file, compiler, args, inputs, hasHeaders, notes = file }: Product): Promise<void> {
  for (const path of [file, notes]) await mkdir(dirname(path), { recursive: true })
  // Whoever reads it at this moment has a whole one, the old or the new.
  const fresh = `${file}.${process.pid}`
  const begun = Date.now()
  try {
    await run(compiler, [...args, ...(hasHeaders ? ['-MMD', '-MF', `${notes}.d`] : []), '-o', fresh, ...inputs], { maxBuffer: 2 ** 26 })
    await rename(fresh, file)
    await writeFile(`${notes}.made`, JSON.stringify({ command: commandOf({ compiler, args, inputs }), begun }))
  } catch (error) {
    await rm(fresh, { force: true })
    throw new Error(`${inputs.length === 1 ? inputs[0] : file} does not compile. Mend what the compiler says.\n${error instanceof Error && 'stderr' in error ? String(error.stderr) : String(error)}`, { cause: error })
  }
}

/** Made by the same command, and nothing that it read has changed since it began. */
export async function isFresh({ file, compiler, args, inputs, hasHeaders, notes = file }: Product): Promise<boolean> {
  try {
    await stat(file)
    const made: { readonly command: string; readonly begun: number } = JSON.parse(await readFile(`${notes}.made`, 'utf8'))
    const read = hasHeaders ? headersOf(await readFile(`${notes}.d`, 'utf8')) : []
    const changed = await Promise.all([...inputs, ...read].map(async (path) => (await stat(path)).mtimeMs))
    return made.command === commandOf({ compiler, args, inputs }) && changed.every((time) => time < made.begun)
  } catch {
    return false
  }
}

function commandOf({ compiler, args, inputs }: Pick<Product, 'compiler' | 'args' | 'inputs'>): string {
  return [compiler, ...args, ...inputs].join(' ')
}

/** What stands right of the colon in a rule of make. */
function headersOf(rule: string): string[] {
  return rule
    .replaceAll('\\\n', ' ')
    .slice(rule.indexOf(':') + 1)
    .split(/(?<!\\)\s+/)
    .filter((path) => path !== '')
    .map((path) => path.replaceAll('\\ ', ' '))
}
