/** Names out of addresses and servers' answers, before they name anything on a disk. */
import { GemmaError } from '../errors.ts'
import { quoted } from '../weights/model-errors.ts'

/** Where a store keeps what it knows about the files of a folder. No file of a model may be called so. */
export const recordsFolder = '.facet'

/** Forbidden on one system or another: https://learn.microsoft.com/windows/win32/fileio/naming-a-file */
// oxlint-disable-next-line no-control-regex
const forbidden = /[\u0000-\u001f\u007f<>:"|?*\\]/
const deviceName = /^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)(\.|$)/i
const longestSegment = 200

/** True for a relative path with / between its parts that stays below its folder on every system. */
export function isSafePath(path: string): boolean {
  return path.length <= 1000 && path.split('/').every(isSafeSegment)
}

/** @param what the path belongs to, for the message @throws GemmaError `invalid-argument` */
export function checkPath(path: string, what: string): string {
  if (isSafePath(path)) return path
  throw new GemmaError('invalid-argument', `${what}: ${quoted(path)} cannot be the name of a file here. Name a file by its path in the repository, like model.gguf or folder/model.gguf.`)
}

function isSafeSegment(segment: string): boolean {
  return (
    segment !== '' &&
    segment !== '.' &&
    segment !== '..' &&
    segment.length <= longestSegment &&
    segment.toLowerCase() !== recordsFolder &&
    !forbidden.test(segment) &&
    !/[. ]$/.test(segment) &&
    !deviceName.test(segment)
  )
}
