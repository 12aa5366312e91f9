import { GemmaError } from '../errors.ts'
import type { ImageHeader } from './image-header.ts'

/** @param formats that the platform's decoder has */
export function notDecodable(header: ImageHeader | undefined, formats: string, cause?: unknown): GemmaError {
  const reason = cause instanceof Error ? ` (${cause.message.trim().replaceAll(/\s*\n\s*/g, '; ').slice(0, 200)})` : ''
  const what = header === undefined ? 'The file is no image of a known format, or it is damaged' : `The ${header.format.toUpperCase()} file is cut short, damaged or not supported`
  return new GemmaError('invalid-image', `${what}${reason}. Pass a whole ${formats} file, or decode it yourself and pass its pixels.`, { cause, details: { ...header } })
}
