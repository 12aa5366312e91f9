import type { AccessEntry } from '@facetjs/server'
import { reportError } from '../errors.ts'
import { formatBytes, formatCount } from '../format.ts'
import { estimateModel, loadModel } from '../model.ts'
import type { LoadModelOptions, SamplingOptions } from '../options.ts'
import { generateOptions } from '../options.ts'
import { note, onInterrupt } from '../terminal.ts'

export interface ServeOptions extends LoadModelOptions, SamplingOptions {
  readonly host: string
  readonly port: number
  readonly apiKey?: readonly string[]
  readonly cors?: readonly string[]
  readonly remoteImages?: boolean
  /** Answers at once. */
  readonly parallel: number
  /** Requests that wait. */
  readonly queue: number
  /** Caches that are kept for later; default: `parallel`. */
  readonly keep?: number
  readonly maxBodyMb?: number
  readonly name?: string
}

/** An answer may take long; whoever cannot wait presses Ctrl-C once more. */
const longestGoodbyeMs = 600_000

/** A model behind the OpenAI protocol, until Ctrl-C or SIGTERM: running answers end first. */
export async function serve(options: ServeOptions): Promise<void> {
  const { host, port, apiKey: apiKeys = keysOfEnvironment(), cors, remoteImages, parallel, queue, keep = parallel, maxBodyMb, name, quiet = false } = options
  const { isLoopback, serve: listen } = await import('@facetjs/server')
  // Before it is taken: asked afterwards, a card that is full now would have no room for it.
  const memory = quiet ? undefined : await describeMemory(options, parallel + keep)
  await using gemma = await loadModel(options, { idleCaches: keep })
  const stopping = Promise.withResolvers<void>()
  using _ = onInterrupt(stopping.resolve, ['SIGINT', 'SIGTERM'])
  await using server = await listen(gemma, {
    hostname: host,
    port,
    apiKeys,
    defaults: generateOptions(options),
    limits: { running: parallel, queued: queue, ...(maxBodyMb === undefined ? {} : { bodyBytes: maxBodyMb * 2 ** 20 }) },
    ...(name === undefined ? {} : { model: name }),
    ...(cors === undefined ? {} : { cors }),
    ...(remoteImages === undefined ? {} : { remoteImages }),
    onRequest: (entry) => {
      if (!quiet) logAccess(entry)
      if (entry.cause !== undefined) reportError(entry.cause) // clients are not told it
    },
  })
  const model = name ?? gemma.name
  note(`${model} on ${gemma.device.device} listens at ${server.url}`)
  if (memory !== undefined) {
    note(memory)
    note(curlLine(server.url, model, apiKeys.length > 0))
  }
  if (apiKeys.length === 0 && !isLoopback(host)) note(`Warning: whoever reaches ${host} can use this model: there is no key. Give one with FACET_API_KEYS or --api-key, or listen on 127.0.0.1.`)
  await stopping.promise
  const { running, queued } = server.app.load
  if (running + queued > 0) note(`${formatCount(running + queued)} ${running + queued === 1 ? 'answer is' : 'answers are'} still being given; then this ends. Once more ends it at once.`)
  await server.close({ graceMs: longestGoodbyeMs })
}

/** A key on the command line is seen by other users of the machine. */
function keysOfEnvironment(): readonly string[] {
  return (process.env.FACET_API_KEYS ?? '').split(',').map((key) => key.trim()).filter((key) => key !== '')
}

/** What all the caches take that there can be. */
async function describeMemory(options: LoadModelOptions, caches: number): Promise<string> {
  const { weights, workspace, session, vision } = await estimateModel(options)
  return `Memory: ${formatBytes(weights + workspace)} for the model${vision > 0 ? `, ${formatBytes(vision)} for pictures` : ''}, and up to ${formatCount(caches)} conversations of ${formatBytes(session)} each, ${formatBytes(caches * session)} together`
}

function curlLine(url: string, model: string, needsKey: boolean): string {
  const body = JSON.stringify({ model, messages: [{ role: 'user', content: 'Hello!' }] })
  const key = needsKey ? ' -H "Authorization: Bearer $KEY"' : ''
  return `Try: curl ${url}/v1/chat/completions -H "Content-Type: application/json"${key} -d ${quoted(body)}`
}

/** For a POSIX shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`
}

function logAccess({ method, route, status, durationMs, error, usage }: AccessEntry): void {
  const tokens = usage === undefined ? '' : ` · ${formatCount(usage.promptTokens)} + ${formatCount(usage.generatedTokens)} tokens`
  note(`${method} ${route} ${status}${error === undefined ? '' : ` ${error}`}${tokens} · ${formatCount(Math.round(durationMs))} ms`)
}
