/** Models as plain files in a folder. */
import { constants } from 'node:fs'
import { mkdir, open, readdir, readFile, rename, rm, stat, statfs, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import process from 'node:process'
import { randomUUID } from 'node:crypto'
import { GemmaError } from '../errors.ts'
import { type FileStore, partLength } from '../hub/file-store.ts'
import { outOfStorage } from '../hub/hub-errors.ts'
import type { Source } from '../weights/source.ts'
import { lockFile } from './disk-lock.ts'

/** Small files are written in a moment. */
const leftoverAfterMs = 3_600_000

/** @param openFile opens a file by its path */
export function diskStore(folder: string, openFile: (path: string) => Promise<Source>): FileStore {
  const root = resolve(folder)
  const place = (path: string): string => join(root, ...path.split('/'))
  const inFolder = async <T>(path: string, work: () => Promise<T>): Promise<T> => {
    try {
      await mkdir(dirname(path), { recursive: true })
      return await work()
    } catch (error) {
      throw await unwritable(root, path, error)
    }
  }
  return {
    name: root,
    read: async (path) => await unlessAbsent(place(path), (file) => readFile(file)),
    async write(path, bytes) {
      const beside = place(`tmp/${randomUUID()}`)
      await inFolder(beside, () => writeFile(beside, bytes))
      await inFolder(place(path), () => rename(beside, place(path)))
    },
    list: async (path) => (await unlessAbsent(place(path), (each) => readdir(each))) ?? [],
    delete: async (path) => await inFolder(root, () => rm(place(path), { recursive: true, force: true })),
    async writePart(file, index, bytes) {
      const path = place(file.path)
      await inFolder(path, async () => {
        await using handle = await open(path, constants.O_RDWR | constants.O_CREAT)
        for (let at = 0; at < bytes.length; ) at += (await handle.write(bytes, at, bytes.length - at, index * file.partBytes + at)).bytesWritten
      })
    },
    async readPart(file, index) {
      const handle = await unlessAbsent(place(file.path), (path) => open(path, 'r'))
      if (handle === undefined) return undefined
      await using _ = handle
      const bytes = new Uint8Array(partLength(file, index))
      for (let at = 0; at < bytes.length; ) {
        const { bytesRead } = await handle.read(bytes, at, bytes.length - at, index * file.partBytes + at)
        if (bytesRead === 0) return undefined
        at += bytesRead
      }
      return bytes
    },
    async sync({ path }) {
      await inFolder(place(path), async () => {
        await using handle = await open(place(path), 'r+')
        await handle.sync()
      })
    },
    async open({ path, bytes }) {
      const found = await unlessAbsent(place(path), (each) => stat(each))
      return found?.isFile() && found.size === bytes ? await openFile(place(path)) : undefined
    },
    async freeBytes() {
      await inFolder(join(root, 'tmp'), async () => {})
      const { bavail, bsize } = await statfs(root)
      return bavail * bsize
    },
    persist: async () => true,
    async lock(name, signal) {
      await inFolder(root, () => sweep(place('tmp')))
      return await inFolder(root, () => lockFile(place(`locks/${name}`), signal))
    },
  }
}

/** Takes away what killed processes left. */
async function sweep(folder: string): Promise<void> {
  for (const name of (await unlessAbsent(folder, (path) => readdir(path))) ?? []) {
    const found = await unlessAbsent(join(folder, name), (path) => stat(path))
    if (found !== undefined && Date.now() - found.mtimeMs > leftoverAfterMs) await rm(join(folder, name), { force: true })
  }
}

/** $FACET_HOME, else a folder among the user's caches. */
export function defaultStoreFolder(): string {
  const { FACET_HOME: facetHome, XDG_CACHE_HOME: cacheHome, LOCALAPPDATA: localAppData } = process.env
  if (facetHome !== undefined && facetHome !== '') return facetHome
  if (process.platform === 'win32' && localAppData !== undefined && localAppData !== '') return join(localAppData, 'facet')
  if (cacheHome !== undefined && cacheHome.startsWith('/')) return join(cacheHome, 'facet') // https://specifications.freedesktop.org/basedir/: relative ones are ignored
  return join(homedir(), '.cache', 'facet')
}

async function unlessAbsent<T>(path: string, work: (path: string) => Promise<T>): Promise<T | undefined> {
  return await work(path).catch((error: unknown) => {
    const code = codeOf(error)
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw new GemmaError('invalid-argument', `${path} cannot be read (${code ?? String(error)}). Check the disk and the permissions, or name another folder with FACET_HOME.`, { cause: error, details: { path } })
  })
}

async function unwritable(root: string, path: string, error: unknown): Promise<unknown> {
  const code = codeOf(error)
  if (code === undefined || GemmaError.is(error)) return error
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    const { bavail, bsize } = await statfs(root)
    return outOfStorage(root, { free: bavail * bsize })
  }
  return new GemmaError('invalid-argument', `${path} cannot be written (${code}). Make the folder writable, or name another one with FACET_HOME.`, { cause: error, details: { path } })
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}
