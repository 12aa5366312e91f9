/** Kernels that are wrong on purpose: the emulated driver with one change in the sources of one module. */
import { cp, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build, emulatedFlags } from './build.ts'
import { makeAll } from './compile.ts'
import { findCompiler } from './compiler.ts'

const native = dirname(fileURLToPath(import.meta.url))

export interface Mutation {
  /** Of native/kernels: what is changed. */
  readonly file: string
  readonly change: readonly [from: RegExp, to: string]
  /** The .cu file's name without ending that is compiled with it. */
  readonly module: string
}

/** @returns the library. @throws Error where the change finds nothing */
export async function buildMutant(name: string, { file, change: [from, to], module }: Mutation): Promise<string> {
  const { emulated } = await build({ emulated: true })
  const compiler = await findCompiler()
  const folder = join(dirname(emulated), 'mutants', name)
  await rm(join(folder, 'kernels'), { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
  await cp(join(native, 'kernels'), join(folder, 'kernels'), { recursive: true, preserveTimestamps: true })
  for (const shared of ['device', 'emulator']) await symlink(join(native, shared), join(folder, shared)).catch(() => {}) // it is there
  const source = await readFile(join(folder, 'kernels', file), 'utf8')
  const changed = source.replace(from, to)
  if (changed === source) throw new Error(`${file} has nothing like ${from}. Mend the mutant ${name}.`)
  await writeFile(join(folder, 'kernels', file), changed)

  const objects = join(dirname(emulated), 'objects')
  const others = (await Promise.all(['emulator', 'kernels'].map(async (part) => (await readdir(join(objects, part))).map((object) => join(objects, part, object))))).flat()
  const own = join(folder, `${module}.o`)
  await makeAll([{ file: own, compiler, args: ['-std=c++20', '-O1', '-fPIC', ...emulatedFlags, '-x', 'c++', '-c'], inputs: [join(folder, 'kernels', `${module}.cu`)], hasHeaders: true }])
  const library = join(folder, 'libcuda-emulated.so')
  const inputs = [own, ...others.filter((object) => object.endsWith('.o') && !object.endsWith(`${module}.cu.o`))]
  await makeAll([{ file: library, compiler, args: ['-shared', '-Wl,-Bsymbolic'], inputs, hasHeaders: false }])
  return library
}
