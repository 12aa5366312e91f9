import type { Source } from './source.ts'

export type FileKind = 'gguf' | 'safetensors' | 'json' | 'web-page' | 'lfs-pointer' | 'zip' | 'empty' | 'unknown'

/** What a file is by its first bytes; names may lie. */
export async function fileKind(source: Source, signal?: AbortSignal): Promise<FileKind> {
  if (source.size === 0) return 'empty'
  const head = await source.read(0, Math.min(source.size, 64), signal)
  const text = String.fromCharCode(...head)
  if (text.startsWith('GGUF')) return 'gguf'
  if (text.startsWith('version https://git-lfs.github.com/')) return 'lfs-pointer'
  if (text.startsWith('PK\u0003\u0004')) return 'zip'
  // u64 header length, below 2^32, then JSON, perhaps padded.
  if (head.length > 8 && head.subarray(4, 8).every((byte) => byte === 0) && head[8] === 0x7b) return 'safetensors'
  const start = text.replace(/^(\u00ef\u00bb\u00bf)?\s*/, '')
  if (/^<(!doctype|html|\?xml|head|!--)/i.test(start)) return 'web-page'
  return start.startsWith('{') ? 'json' : 'unknown'
}
