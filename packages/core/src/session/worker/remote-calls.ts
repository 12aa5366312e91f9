/** What remote models and sessions have in common. */
import type { ImageInput } from '../../image/image-input.ts'
import type { ImagePart } from '../../tokenizer/chat-template.ts'
import type { ChatOptions, StreamPart, UserContent } from '../types.ts'
import type { AskOptions, Connection } from './connection.ts'
import type { Id } from './protocol.ts'

/** With the worker, all that it held is gone as well. */
export async function disposeRemote(connection: Connection, target: Id): Promise<void> {
  await connection.ask({ type: 'dispose', id: connection.newId(), target }, 'disposed').catch((error: unknown) => {
    if (connection.ended === undefined) throw error
  })
}

/** A signal stays in the page. What only claims to be one goes along, to be refused as it is without a worker. */
export function splitSignal<T extends { readonly signal?: AbortSignal }>(options: T): { readonly signal: AbortSignal | undefined; readonly rest: Omit<T, 'signal'> } {
  const { signal, ...rest } = options
  return signal === undefined || signal instanceof AbortSignal ? { signal, rest } : { signal: undefined, rest: options }
}

export function withoutSignal(options: ChatOptions): ChatOptions {
  return options.defaults === undefined ? options : { ...options, defaults: splitSignal(options.defaults).rest }
}

export function onPart(emit: (part: StreamPart) => void): NonNullable<AskOptions['onEvent']> {
  return (event) => {
    if (event.type === 'part') emit(event.part)
  }
}

/** A view of bytes is cloned with all of the buffer behind it: a small one of a large buffer gets a buffer of its own. */
export function compact(bytes: Uint8Array): Uint8Array {
  return bytes.byteLength < bytes.buffer.byteLength ? new Uint8Array(bytes) : bytes
}

/** The same for the pictures of a message. What is wrong with them is told where they are used. */
export function compactContent(content: UserContent): UserContent {
  return Array.isArray(content) ? content.map(compactPart) : content
}

export function compactPart<T extends Exclude<UserContent, string>[number] | Omit<ImagePart, 'type'>>(part: T): T {
  return typeof part === 'object' && part !== null && 'image' in part ? Object.assign({}, part, { image: compactImage(part.image) }) : part
}

function compactImage(image: ImageInput): ImageInput {
  if (image instanceof Uint8Array) return compact(image)
  return typeof image === 'object' && image !== null && 'data' in image && image.data instanceof Uint8Array ? { width: image.width, height: image.height, data: compact(image.data) } : image
}
