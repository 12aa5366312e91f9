/** Format and size of an image from its file's first bytes, before anything is decoded or allocated. */

export interface ImageHeader {
  readonly format: 'png' | 'jpeg' | 'gif' | 'webp' | 'bmp'
  /** Pixels as stored: EXIF may turn them. */
  readonly width: number
  readonly height: number
}

/** `undefined` where the bytes are of another format, or end before the size does. */
export function readImageHeader(bytes: Uint8Array): ImageHeader | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return readPng(view) ?? readGif(view) ?? readWebp(view) ?? readBmp(view) ?? readJpeg(view)
}

/** https://www.w3.org/TR/png-3/#11IHDR */
function readPng(view: DataView): ImageHeader | undefined {
  if (!startsWith(view, 0, '\x89PNG\r\n\x1a\n') || !startsWith(view, 12, 'IHDR') || view.byteLength < 24) return undefined
  return { format: 'png', width: view.getUint32(16), height: view.getUint32(20) }
}

/** https://www.w3.org/Graphics/GIF/spec-gif89a.txt: the screen, which browsers widen to the first frame. */
function readGif(view: DataView): ImageHeader | undefined {
  if ((!startsWith(view, 0, 'GIF89a') && !startsWith(view, 0, 'GIF87a')) || view.byteLength < 13) return undefined
  let width = view.getUint16(6, true)
  let height = view.getUint16(8, true)
  const flags = view.getUint8(10)
  let at = 13 + (flags & 0x80 ? 3 << ((flags & 7) + 1) : 0)
  while (at + 10 <= view.byteLength && view.getUint8(at) === 0x21) at = endOfBlocks(view, at + 2)
  if (at + 9 <= view.byteLength && view.getUint8(at) === 0x2c) {
    width = Math.max(width, view.getUint16(at + 1, true) + view.getUint16(at + 5, true))
    height = Math.max(height, view.getUint16(at + 3, true) + view.getUint16(at + 7, true))
  }
  return { format: 'gif', width, height }
}

/** Past a chain of sub-blocks, each led by its length, up to the empty one. */
function endOfBlocks(view: DataView, start: number): number {
  let at = start
  while (at < view.byteLength && view.getUint8(at) !== 0) at += 1 + view.getUint8(at)
  return at + 1
}

/** https://developers.google.com/speed/webp/docs/riff_container */
function readWebp(view: DataView): ImageHeader | undefined {
  if (!startsWith(view, 0, 'RIFF') || !startsWith(view, 8, 'WEBP') || view.byteLength < 30) return undefined
  if (startsWith(view, 12, 'VP8X')) return { format: 'webp', width: (view.getUint32(24, true) & 0xffffff) + 1, height: (view.getUint32(26, true) >>> 8) + 1 }
  if (startsWith(view, 12, 'VP8 ')) return { format: 'webp', width: view.getUint16(26, true) & 0x3fff, height: view.getUint16(28, true) & 0x3fff }
  if (!startsWith(view, 12, 'VP8L')) return undefined
  const bits = view.getUint32(21, true)
  return { format: 'webp', width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 }
}

/** https://learn.microsoft.com/windows/win32/gdi/bitmap-storage: a height below zero is that of rows from the top. */
function readBmp(view: DataView): ImageHeader | undefined {
  if (!startsWith(view, 0, 'BM') || view.byteLength < 26) return undefined
  const isCore = view.getUint32(14, true) === 12
  const width = isCore ? view.getUint16(18, true) : view.getInt32(18, true)
  const height = isCore ? view.getUint16(20, true) : Math.abs(view.getInt32(22, true))
  return { format: 'bmp', width, height }
}

/** ITU-T T.81 annex B: segments until the frame header. */
function readJpeg(view: DataView): ImageHeader | undefined {
  if (!startsWith(view, 0, '\xff\xd8\xff')) return undefined
  let at = 2
  while (at + 9 <= view.byteLength) {
    const marker = view.getUint8(at + 1)
    if (view.getUint8(at) !== 0xff || marker === 0xff) at += 1 // fill bytes; decoders also step over garbage
    else if (marker === 0 || marker === 1 || (marker >= 0xd0 && marker <= 0xd8)) at += 2 // no length follows
    else if (marker === 0xd9 || marker === 0xda) return undefined
    else if (marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc) {
      return { format: 'jpeg', width: view.getUint16(at + 7), height: view.getUint16(at + 5) }
    } else at += 2 + Math.max(2, view.getUint16(at + 2))
  }
  return undefined
}

function startsWith(view: DataView, at: number, text: string): boolean {
  if (at + text.length > view.byteLength) return false
  for (let i = 0; i < text.length; i++) if (view.getUint8(at + i) !== text.charCodeAt(i)) return false
  return true
}

/** SVG, in any of its encodings, and other text; gzip is the envelope of SVGZ. No picture of pixels begins like this. */
export function looksLikeSvg(bytes: Uint8Array): boolean {
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) return true
  if ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff)) return true
  const hasMark = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf
  let at = hasMark ? 3 : 0
  while (bytes[at] === 0x20 || (bytes[at] >= 0x09 && bytes[at] <= 0x0d)) at++
  return bytes[at] === 0x3c // <
}
