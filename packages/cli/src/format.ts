/** Numbers as people read them. */
import type { GenerationResult } from '@facetjs/core'

/** 1234567 → '1,234,567'. */
export function formatCount(value: number): string {
  return value.toLocaleString('en-US')
}

/** Decimal units: 2354900000 → '2.35 GB'. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let value = bytes
  let unit = 0
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000
    unit++
  }
  return `${unit === 0 ? value : value.toPrecision(3)} ${units[unit]}`
}

/** `12 tokens · 3.4 tok/s · images 0.4 s · prompt 8 tokens in 1.2 s · stop`, without the images where there were none. */
export function formatSummary({ usage, timings, finishReason }: GenerationResult): string {
  const cached = usage.cachedTokens > 0 ? ` (${formatCount(usage.cachedTokens)} cached)` : ''
  return [
    `${formatCount(usage.generatedTokens)} ${usage.generatedTokens === 1 ? 'token' : 'tokens'}`,
    `${timings.decodeTokensPerSecond.toFixed(1)} tok/s`,
    ...(timings.imageMs > 0 ? [`images ${formatSeconds(timings.imageMs)}`] : []),
    `prompt ${formatCount(usage.promptTokens)} tokens${cached} in ${formatSeconds(timings.prefillMs)}`,
    finishReason,
  ].join(' · ')
}

function formatSeconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}
