import type { Gemma, GemmaMessage } from '@facetjs/core'
import { useEffect, useRef, useState } from 'react'
import { textOf } from '../chat/message-row.tsx'

export interface LiveNumbers {
  readonly prefillTokensPerSecond?: number
  readonly decodeTokensPerSecond?: number
  readonly timeToFirstTokenMs?: number
}

const everyMs = 400

/** Of the last answer: while it comes measured here (by counting the tokens of its text), then as the model measured them. */
export function useLiveNumbers(message: GemmaMessage | undefined, gemma: Gemma | undefined): LiveNumbers {
  const [live, setLive] = useState<LiveNumbers>({})
  const latest = useRef(message)
  useEffect(() => {
    latest.current = message
  })
  const answerId = message?.role === 'assistant' ? message.id : undefined
  const status = message?.status
  const begun = useRef(0)

  useEffect(() => {
    begun.current = performance.now() // not before the model is there
    setLive({})
  }, [answerId, gemma])
  const progress = message?.progress?.type === 'prefill' ? message.progress : undefined
  useEffect(() => {
    const seconds = (performance.now() - begun.current) / 1000
    if (status === 'pending' && progress !== undefined && progress.done > 0 && seconds > 0.1) setLive({ prefillTokensPerSecond: progress.done / seconds })
  }, [status, progress])
  useEffect(() => {
    if (status !== 'streaming' || gemma === undefined) return
    const firstAt = performance.now()
    setLive((before) => ({ ...before, timeToFirstTokenMs: firstAt - begun.current }))
    const timer = setInterval(() => {
      const text = latest.current === undefined ? '' : textOf(latest.current)
      const seconds = (performance.now() - firstAt) / 1000
      gemma.countTokens(text).then(
        (tokens) => setLive((before) => ({ ...before, decodeTokensPerSecond: tokens / seconds })),
        () => {}, // the model went
      )
    }, everyMs)
    return () => clearInterval(timer)
  }, [status, gemma, answerId])

  const timings = message?.result?.timings
  if (timings === undefined) return live
  return {
    timeToFirstTokenMs: timings.timeToFirstTokenMs,
    ...(Number.isFinite(timings.prefillTokensPerSecond) && timings.prefillTokensPerSecond > 0 && { prefillTokensPerSecond: timings.prefillTokensPerSecond }),
    ...(Number.isFinite(timings.decodeTokensPerSecond) && timings.decodeTokensPerSecond > 0 && { decodeTokensPerSecond: timings.decodeTokensPerSecond }),
  }
}
