/** Which compiler builds what is native here: clang 19, for the host and for PTX. */
import { execFile } from 'node:child_process'
import process from 'node:process'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Debian's and Ubuntu's: the compiler, and its sanitizers. */
export const CLANG_PACKAGES: readonly string[] = ['clang-19', 'libclang-rt-19-dev']

/** The environment's CXX, else clang++-19 of the PATH. @throws Error that says how to get one */
export async function findCompiler(): Promise<string> {
  const named = process.env['CXX']
  const compiler = named === undefined || named === '' ? 'clang++-19' : named
  const version = await run(compiler, ['--version']).then(
    ({ stdout }) => stdout,
    () => undefined,
  )
  if (version === undefined) throw new Error(`There is no ${compiler} here. Install it (Debian: apt-get install ${CLANG_PACKAGES.join(' ')}), or set CXX to a clang++ of version 19 or later.`)
  if (!version.includes('clang')) throw new Error(`${compiler} is no clang. Set CXX to a clang++ of version 19 or later.`)
  return compiler
}
