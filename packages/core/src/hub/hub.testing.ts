/** What the downloader's tests share: the demo model's files on an imitated hub, and an empty store. */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'
import { type HubServer, type HubServerOptions, startHub } from './hub-server.testing.ts'
import { type ModelStore, type ModelStoreOptions, openModelStore } from './model-store.ts'

export const repository = 'facet/demo'
export const commit: string = '0123456789abcdef0123456789abcdef01234567'
export const fileName = 'demo-q8_0.gguf'
export const mmprojName = 'mmproj-demo-f16.gguf'
export const model: string = `hf:${repository}/${fileName}`
/** 14 parts of the model, 16 of its vision part. */
export const partBytes: number = 131_072

const demo = fileURLToPath(new URL('../../../demo-model/model/', import.meta.url))

export async function demoFiles(): Promise<Map<string, Uint8Array>> {
  const names = [fileName, mmprojName]
  return new Map(await Promise.all(names.map(async (name) => [name, new Uint8Array(await readFile(join(demo, name)))] as const)))
}

/** Ends with the test. */
export async function serveHub(options: Partial<HubServerOptions> = {}): Promise<HubServer> {
  const hub = await startHub({ repository, commit, files: await demoFiles(), ...options })
  onTestFinished(() => hub.close())
  return hub
}

/** Deleted with the test. */
export async function emptyFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'facet-store-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true, maxRetries: 3 }))
  return folder
}

/** A store of small parts that does not wait long. */
export async function storeFor(hub: HubServer, options: ModelStoreOptions = {}): Promise<ModelStore> {
  return await openModelStore({ folder: options.folder ?? (await emptyFolder()), endpoint: hub.endpoint, partBytes, retryDelayMs: 1, stallTimeoutMs: 400, ...options })
}
