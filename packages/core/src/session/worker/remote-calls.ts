/** What remote models and sessions have in common. */
import type { ChatOptions, CompletionOptions, StreamPart } from '../types.ts'
import type { AskOptions, Connection } from './connection.ts'
import type { Id, RemoteGenerateOptions } from './protocol.ts'

/** With the worker, all that it held is gone as well. */
export async function disposeRemote(connection: Connection, target: Id): Promise<void> {
  await connection.ask({ type: 'dispose', id: connection.newId(), target }, 'disposed').catch((error: unknown) => {
    if (connection.ended === undefined) throw error
  })
}

/** A signal stays in the page. What only claims to be one goes along, to be refused as it is without a worker. */
export function splitSignal(options: CompletionOptions | undefined): { readonly signal: AbortSignal | undefined; readonly rest: RemoteGenerateOptions } {
  const { signal, ...rest } = options ?? {}
  return signal === undefined || signal instanceof AbortSignal ? { signal, rest } : { signal: undefined, rest: { ...options } }
}

export function withoutSignal(options: ChatOptions): ChatOptions {
  return options.defaults === undefined ? options : { ...options, defaults: splitSignal(options.defaults).rest }
}

export function onPart(emit: (part: StreamPart) => void): NonNullable<AskOptions['onEvent']> {
  return (event) => {
    if (event.type === 'part') emit(event.part)
  }
}
