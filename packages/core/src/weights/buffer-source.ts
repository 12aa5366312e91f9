import { GemmaError } from '../errors.ts'
import { cutShort } from './source.ts'
import type { Folder, Source } from './source.ts'

/** A model that is in memory already. */
export function bufferSource(bytes: Uint8Array | ArrayBuffer, name = 'model bytes'): Source {
  let all = bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes)
  return {
    name,
    size: all.length,
    read: async (offset, length, signal) => {
      signal?.throwIfAborted()
      if (offset + length > all.length) throw cutShort(name, all.length, offset, length)
      return new Uint8Array(all.subarray(offset, offset + length)) // a copy: slice() of Node's Buffer would share the bytes
    },
    close: async () => {
      all = new Uint8Array() // whoever holds the source need not hold the model
    },
  }
}

/** A Blob or File, as a file input or a drop gives it; only what is asked for is read. */
export function blobSource(blob: Blob, name: string = nameOf(blob)): Source {
  return {
    name,
    size: blob.size,
    read: async (offset, length, signal) => {
      signal?.throwIfAborted()
      if (offset + length > blob.size) throw cutShort(name, blob.size, offset, length)
      const bytes = await blob
        .slice(offset, offset + length)
        .arrayBuffer()
        .catch((cause: unknown) => {
          throw new GemmaError('download-failed', `${name} can no longer be read. It was moved, changed or deleted: choose it again.`, { cause })
        })
      signal?.throwIfAborted()
      return new Uint8Array(bytes)
    },
    close: async () => {},
  }
}

function nameOf(blob: Blob): string {
  return blob instanceof File ? blob.name : 'model blob'
}

/** A folder made of files by name, e.g. from `<input type="file" multiple>`. */
export function filesFolder(files: ReadonlyMap<string, Blob | Uint8Array>, name = 'model files'): Folder {
  return {
    name,
    open: async (fileName) => {
      const file = files.get(fileName)
      if (file === undefined) return undefined
      return file instanceof Uint8Array ? bufferSource(file, fileName) : blobSource(file, fileName)
    },
    list: async () => [...files.keys()],
  }
}
