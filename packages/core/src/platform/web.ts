/** Browsers have no paths; the same exports as `node.ts`. */
import { GemmaError } from '../errors.ts'
import type { Folder, Source } from '../weights/source.ts'

export { decodeImageFile } from './decode-with-canvas.ts'

export async function fileSource(path: string): Promise<Source> {
  throw noPaths(path)
}

export function localFolder(path: string): Folder {
  throw noPaths(path)
}

export async function kindOf(path: string): Promise<'file' | 'folder'> {
  throw noPaths(path)
}

export function splitPath(path: string): { readonly folder: string; readonly fileName: string } {
  throw noPaths(path)
}

export function pathOfFileUrl(url: URL): string {
  throw noPaths(url.href)
}

function noPaths(path: string): GemmaError {
  return new GemmaError('invalid-argument', `${path} is a local path, which a browser cannot open. Pass a File or Blob, an https address, or new URL(path, location.href).`, {
    details: { path },
  })
}
