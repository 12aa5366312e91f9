import type { Gemma, GenerateOptions } from '@facetjs/core'

export interface Answer {
  readonly isolated: boolean
  readonly device: string
  readonly text: string
  /** The same text as it was streamed. */
  readonly pieces: readonly string[]
  /** Times that a timer of 4 ms fired while a long answer was generated, and the longest it was kept waiting. */
  readonly ticks: number
  readonly longestGapMs: number
  readonly tokensPerSecond: number
}

/** Never ends by itself: without the demo model's two end tokens. */
export const endless: GenerateOptions = { temperature: 0, maxTokens: 5000, logitBias: { 1: -Infinity, 6: -Infinity } }

/** One question, then a long answer beside a timer. */
export async function ask(gemma: Gemma): Promise<Answer> {
  await using chat = gemma.chat()
  const pieces: string[] = []
  const stream = chat.send('What is the opposite of night?', { temperature: 0, maxTokens: 64 })
  for await (const piece of stream.textStream) pieces.push(piece)
  const { text } = await stream.result

  const firings: number[] = []
  const timer = setInterval(() => firings.push(performance.now()), 4)
  const start = performance.now()
  const { timings } = await gemma.generate('Tell me', { ...endless, maxTokens: 500 }).result
  const end = performance.now()
  clearInterval(timer)
  const moments = [start, ...firings, end]
  return {
    isolated: crossOriginIsolated,
    device: gemma.device.device,
    text,
    pieces,
    ticks: firings.length,
    longestGapMs: Math.max(...moments.slice(1).map((moment, i) => moment - moments[i])),
    tokensPerSecond: timings.decodeTokensPerSecond,
  }
}
