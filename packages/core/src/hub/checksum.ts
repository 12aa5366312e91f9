import { createHash } from '#platform'
import type { Checksum } from './repository.ts'

/** Takes a file's bytes in order; `hex` may be asked for once, at the end. */
export interface RunningChecksum {
  update(bytes: Uint8Array): void
  hex(): string
}

export function startChecksum(kind: Checksum['kind'], bytes: number): RunningChecksum {
  if (kind === 'sha256') return createHash('sha256')
  const hash = createHash('sha1')
  hash.update(new TextEncoder().encode(`blob ${bytes}\0`)) // https://git-scm.com/book/en/v2/Git-Internals-Git-Objects
  return hash
}

/** Without a break, a browser's thread would stand still for longer than people notice: it adds up about 150 MB a second. */
const pieceBytes = 2 ** 20

/** `update`, with breaks in which others get their turn. */
export async function addTo(sum: RunningChecksum, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    sum.update(bytes.subarray(at, at + pieceBytes))
    await nextTask()
  }
}

/** Not a timer: pages in the background have few of them. */
function nextTask(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel()
    port1.addEventListener('message', () => {
      port1.close()
      resolve()
    })
    port1.start()
    port2.postMessage(undefined)
  })
}

/** SHA-256 of bytes that are in memory, in hexadecimal. */
export async function digestOf(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return hexOf(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)))
}

function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
