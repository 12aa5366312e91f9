/** NVIDIA's assembler on one PTX text: what each kernel takes of a GPU, and what is wrong with that. */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import type { WheelProgram } from './wheel.ts'

const run = promisify(execFile)

/** Used in checks only. */
export const PTXAS: WheelProgram = {
  name: 'nvidia-cuda-nvcc-cu12',
  version: '12.9.86',
  sha256: '5d6a0d32fdc7ea39917c20065614ae93add6f577d840233237ff08e9a38f58f0',
  size: '41 MB',
  part: 'nvidia/cuda_nvcc/bin/ptxas',
  program: 'nvidia/cuda_nvcc/bin/ptxas',
}

/** Blocks of kernels that name no bound have at most so many threads (src/launch.ts). */
const MOST_THREADS = 512
/** What a block of any GPU may have without asking: registers of a multiprocessor, bytes of static shared memory. */
const MOST_REGISTERS = 65_536
const MOST_SHARED_BYTES = 48 * 1024
/** Registers of a thread are given out in eights. */
const REGISTER_UNIT = 8

export interface KernelUse {
  readonly kernel: string
  readonly registers: number
  readonly sharedBytes: number
  /** What breaks a bound; empty where all is well. */
  readonly faults: readonly string[]
}

/**
 * @param arch of the GPU, as in sm_86
 * @throws Error with what ptxas said, where it refuses the text
 */
export async function assemble(ptxas: string, file: string, arch: string): Promise<readonly KernelUse[]> {
  const text = await readFile(file, 'utf8')
  const { stderr, stdout } = await run(ptxas, ['-v', `-arch=${arch}`, '-o', '/dev/null', file], { maxBuffer: 2 ** 26 }).catch((error: unknown) => {
    const said = error instanceof Error && 'stderr' in error ? String(error.stderr) : String(error)
    throw new Error(`ptxas refuses ${file} for ${arch}: ${said.trim()}`, { cause: error })
  })
  const uses = [...`${stdout}${stderr}`.matchAll(/Compiling entry function '(?<kernel>[^']+)'(?<rest>[^]*?)(?=Compiling entry function|$)/g)].map(({ groups }) => useOf(groups?.['kernel'] ?? '', groups?.['rest'] ?? '', text))
  const entries = [...text.matchAll(/^\.visible \.entry (\w+)/gm)].map(([, name]) => name)
  const missing = entries.filter((name) => !uses.some(({ kernel }) => kernel === name))
  if (missing.length > 0) throw new Error(`ptxas says nothing of ${missing.join(', ')} in ${file} for ${arch}. See whether its -v output has changed.`)
  return uses
}

function useOf(kernel: string, log: string, text: string): KernelUse {
  const numberBefore = (words: string): number => Number(new RegExp(`(\\d+) ${words}`).exec(log)?.[1] ?? 0)
  const registers = numberBefore('registers')
  const sharedBytes = numberBefore('bytes smem')
  // Of the kernel, and of functions that were not inlined.
  const spills = [...log.matchAll(/(\d+) bytes spill/g)].reduce((sum, [, bytes]) => sum + Number(bytes), 0)
  // The bound stands between the entry and its body.
  const bound = new RegExp(`\\.entry ${kernel}\\([^{]*?\\.maxntid (\\d+)(?:, (\\d+), (\\d+))?`).exec(text)
  const threads = bound === null ? MOST_THREADS : bound.slice(1).reduce((product, each) => product * Number(each ?? 1), 1)
  const blockRegisters = Math.ceil(registers / REGISTER_UNIT) * REGISTER_UNIT * threads
  return {
    kernel,
    registers,
    sharedBytes,
    faults: [
      ...(registers === 0 ? ['ptxas does not say how many registers it takes'] : []),
      ...(spills > 0 ? [`it spills ${spills} bytes`] : []),
      ...(sharedBytes > MOST_SHARED_BYTES ? [`${sharedBytes} bytes of shared memory are more than ${MOST_SHARED_BYTES}`] : []),
      ...(blockRegisters > MOST_REGISTERS ? [`${registers} registers are too many for ${threads} threads`] : []),
    ],
  }
}
