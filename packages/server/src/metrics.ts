import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { FinishedAnswer } from './answers.ts'
import type { AccessEntry } from './exchange.ts'

export interface Metrics {
  readonly contentType: string
  countRequest(entry: AccessEntry): void
  countAnswer(result: FinishedAnswer): void
  /** In Prometheus' text format. */
  text(): Promise<string>
}

const secondBuckets = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300]
const tokenBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1]

/** A registry of its own: there may be several servers in a process. */
export function createMetrics(load: () => { readonly running: number; readonly queued: number }): Metrics {
  const registry = new Registry()
  const registers = [registry]
  collectDefaultMetrics({ register: registry })
  const requests = new Counter({ name: 'facet_requests_total', help: 'Requests by route and status; 499: the client left.', labelNames: ['method', 'route', 'status'], registers })
  const duration = new Histogram({ name: 'facet_request_duration_seconds', help: 'From a request to the end of its answer.', labelNames: ['route'], buckets: secondBuckets, registers })
  const promptTokens = new Counter({ name: 'facet_prompt_tokens_total', help: 'Tokens of prompts, cached ones included.', registers })
  const cachedTokens = new Counter({ name: 'facet_cached_prompt_tokens_total', help: 'Tokens of prompts that were in a KV cache.', registers })
  const generatedTokens = new Counter({ name: 'facet_generated_tokens_total', help: 'Tokens of answers.', registers })
  const queueTime = new Histogram({ name: 'facet_queue_duration_seconds', help: 'What answers waited for their turn.', buckets: secondBuckets, registers })
  const firstToken = new Histogram({ name: 'facet_time_to_first_token_seconds', help: 'From a request to the first token, with the wait.', buckets: secondBuckets, registers })
  const perToken = new Histogram({ name: 'facet_time_per_token_seconds', help: 'Of an answer, each token after the first: the mean.', buckets: tokenBuckets, registers })
  const gauges = { running: 'Answers that run.', queued: 'Requests that wait for their turn.' } as const
  for (const name of ['running', 'queued'] as const) {
    const gauge: Gauge = new Gauge({ name: `facet_answers_${name}`, help: gauges[name], registers, collect: () => gauge.set(load()[name]) })
  }
  return {
    contentType: registry.contentType,
    countRequest({ method, route, status, durationMs }) {
      requests.inc({ method, route, status: String(status) })
      duration.observe({ route }, durationMs / 1000)
    },
    countAnswer({ usage, timings, queueMs }) {
      promptTokens.inc(usage.promptTokens)
      cachedTokens.inc(usage.cachedTokens)
      generatedTokens.inc(usage.generatedTokens)
      queueTime.observe(queueMs / 1000)
      firstToken.observe((queueMs + timings.timeToFirstTokenMs) / 1000)
      if (usage.generatedTokens > 1) perToken.observe(timings.decodeMs / 1000 / (usage.generatedTokens - 1))
    },
    text: () => registry.metrics(),
  }
}
