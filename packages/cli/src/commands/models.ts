import type { StoredModel } from '@facetjs/core'
import { openModelStore } from '@facetjs/core'
import { exitCodes } from '../errors.ts'
import { formatBytes } from '../format.ts'
import { interruptible } from '../model.ts'
import { createProgress } from '../progress.ts'
import { note } from '../terminal.ts'

export interface ListOptions {
  readonly json?: boolean
}

export interface VerifyOptions {
  readonly repair?: boolean
  readonly quiet?: boolean
}

/** What has been downloaded, the last used first. */
export async function listModels({ json = false }: ListOptions): Promise<void> {
  const store = await openModelStore()
  const models = await store.list()
  if (json) process.stdout.write(`${JSON.stringify(models, null, 2)}\n`)
  else if (models.length > 0) process.stdout.write(`${models.map(describe).join('\n')}\n`)
  if (!json) note(`${formatBytes(models.reduce((sum, { bytesPresent }) => sum + bytesPresent, 0))} in ${store.name}`)
}

function describe({ model, files, usedAt }: StoredModel): string {
  const used = usedAt === 0 ? '' : `  last used ${new Date(usedAt).toISOString().slice(0, 10)}`
  const lines = files.map(({ name, bytes, bytesPresent, isComplete }) => `  ${name}  ${isComplete ? formatBytes(bytes) : `${formatBytes(bytesPresent)} of ${formatBytes(bytes)}`}`)
  return [`${model}${used}`, ...lines].join('\n')
}

export async function deleteModel(model: string): Promise<void> {
  const store = await openModelStore()
  const before = await store.size()
  await store.delete(model)
  note(`${formatBytes(before - (await store.size()))} deleted`)
}

/** Exit code 1 where something is damaged and was not repaired. */
export async function verifyModel(model: string, { repair = false, quiet = false }: VerifyOptions): Promise<void> {
  const store = await openModelStore()
  const abort = new AbortController()
  using _ = interruptible(abort)
  using progress = createProgress(quiet)
  const files = await store.verify(model, {
    repair,
    signal: abort.signal,
    onProgress: ({ loaded, total }) => {
      progress.show('verifying', loaded, total, 'bytes')
    },
  })
  progress.clear()
  for (const { model: of, name, state, damagedBytes } of files) {
    process.stdout.write(`${of}  ${name}  ${state}${damagedBytes > 0 ? ` (${formatBytes(damagedBytes)})` : ''}\n`)
  }
  if (!files.some(({ state }) => state === 'damaged')) return
  note(`Some files are damaged. facet models verify --repair ${model} downloads their damaged parts again.`)
  process.exitCode = exitCodes.failed
}
