import type { GenerationResult, GenerationStream, StreamPart } from './types.ts'

export type Producer = (emit: (part: StreamPart) => void, stopped: AbortSignal) => Promise<GenerationResult>

/** Starts `produce` at once; what it emits can be read by any number of loops, now or later. */
export function createGenerationStream(produce: Producer): GenerationStream {
  const stopper = new AbortController()
  const parts: StreamPart[] = []
  let settled = false
  let wake: (() => void) | undefined
  let changed = new Promise<void>((resolve) => {
    wake = resolve
  })
  const announce = (): void => {
    wake?.()
    changed = new Promise((resolve) => {
      wake = resolve
    })
  }
  const emit = (part: StreamPart): void => {
    parts.push(part)
    announce()
  }
  const result = Promise.resolve()
    .then(() => produce(emit, stopper.signal))
    .finally(() => {
      settled = true
      announce()
    })
  result.catch(() => {}) // whoever only reads the loop gets the error there

  async function* read(): AsyncGenerator<StreamPart, void, undefined> {
    try {
      for (let next = 0; ; next++) {
        while (next >= parts.length && !settled) await changed
        const part = parts[next]
        if (part === undefined) break
        yield part
      }
      await result
    } finally {
      stopper.abort() // leaving the loop stops generation; after the end it does nothing
    }
  }

  async function* readText(): AsyncGenerator<string, void, undefined> {
    for await (const part of read()) if (part.type === 'text') yield part.text
  }

  return {
    result,
    stop: () => stopper.abort(),
    [Symbol.asyncIterator]: read,
    get textStream() {
      return readText()
    },
  }
}
