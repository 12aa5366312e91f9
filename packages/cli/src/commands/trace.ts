import { writeFile } from 'node:fs/promises'
import type { Numerics } from '@facetjs/core'
import { GemmaError } from '@facetjs/core'
import type { TraceOptions as TraceModelOptions } from '@facetjs/core/inspect'
import { readSafetensors, trace as traceModel, writeSafetensors } from '@facetjs/core/inspect'
import type { BackendName } from '../backends.ts'
import { loadBackend } from '../backends.ts'
import { usageError } from '../errors.ts'
import { formatBytes } from '../format.ts'
import { messageOf, readInputFile, within } from '../input-file.ts'
import { isTokenIds, readJsonFile } from '../json-file.ts'
import { interruptible, openCheckpoint, showLoading } from '../model.ts'
import type { ModelOptions } from '../options.ts'
import { createProgress } from '../progress.ts'
import { note } from '../terminal.ts'

export interface TraceOptions extends ModelOptions {
  readonly backend: BackendName
  readonly numerics: Numerics
  readonly logits: 'all' | 'last' | number
  readonly out: string
  readonly ids?: readonly number[]
  readonly idsFile?: string
  readonly pixels?: string
  readonly threads?: number
  readonly device?: number
  readonly greedy?: number
  readonly hidden?: boolean
  readonly quiet?: boolean
}

/** What a model computes for given ids, layer by layer, as a safetensors file. */
export async function trace(options: TraceOptions): Promise<void> {
  const { backend: name, threads, device, greedy, out, quiet = false } = options
  if ((options.ids === undefined) === (options.idsFile === undefined)) throw usageError('Give either --ids 2,5,7 or --ids-file ids.json.')
  const ids = options.ids ?? (await readIds(options.idsFile ?? ''))
  const pixels = options.pixels === undefined ? undefined : await readPixels(options.pixels)
  const backend = await loadBackend({ name, threads, device })
  const checkpoint = await openCheckpoint(options)
  try {
    const abort = new AbortController()
    using _ = interruptible(abort)
    using progress = createProgress(quiet)
    const tensors = await traceModel(checkpoint, backend, {
      ids,
      logits: options.logits,
      hidden: options.hidden ?? false,
      numerics: options.numerics,
      signal: abort.signal,
      onProgress: ({ phase, loaded, total }) => {
        if (phase === 'trace') progress.show('tracing', loaded, total, 'tokens')
        else showLoading(progress, { phase, loaded, total })
      },
      ...(greedy === undefined ? {} : { greedy }),
      ...(pixels === undefined ? {} : { pixels }),
    })
    progress.clear()
    const bytes = writeSafetensors(tensors)
    await writeOutput(out, bytes)
    if (!quiet) note(`${out}: ${tensors.size} tensors, ${formatBytes(bytes.length)}`)
  } finally {
    await checkpoint.close()
  }
}

async function readIds(path: string): Promise<readonly number[]> {
  const ids = await readJsonFile(path)
  if (!isTokenIds(ids)) throw new GemmaError('invalid-argument', `Expected a JSON array of token ids in ${path}, as in [2, 5, 7]. Check the file.`)
  return ids
}

/** The tensor `pixel_values`, or the only one. */
async function readPixels(path: string): Promise<NonNullable<TraceModelOptions['pixels']>> {
  const tensors = await within(path, readSafetensors(await readInputFile(path)))
  const pixels = tensors.get('pixel_values') ?? (tensors.size === 1 ? [...tensors.values()][0] : undefined)
  if (pixels === undefined) throw new GemmaError('invalid-argument', `${path} has ${tensors.size} tensors, none of them named pixel_values. Name the pictures' tensor so, or leave the others out.`)
  const { data, shape } = pixels
  if (!(data instanceof Float32Array)) throw new GemmaError('invalid-argument', `The pixels in ${path} are whole numbers. Store them as the tower takes them: F32, about -1 to 1.`)
  return { data, shape }
}

async function writeOutput(path: string, bytes: Uint8Array): Promise<void> {
  try {
    await writeFile(path, bytes)
  } catch (cause) {
    throw new GemmaError('invalid-argument', `Cannot write ${path}: ${messageOf(cause)}. Give another --out.`, { cause })
  }
}
