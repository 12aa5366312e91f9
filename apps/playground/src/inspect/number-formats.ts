/** A share of 1, for people: `98.2 %`. */
export function formatPercent(share: number): string {
  if (share > 0 && share < 0.0005) return '< 0.1 %'
  if (share < 1 && share >= 0.9995) return '> 99.9 %'
  return `${(share * 100).toFixed(1)} %`
}

export function formatCount(count: number): string {
  return count.toLocaleString('en')
}

/** As model names have it: `268 M`. */
export function formatParameters(count: number): string {
  const [value, unit] = count >= 1e9 ? [count / 1e9, ' G'] : count >= 1e6 ? [count / 1e6, ' M'] : count >= 1e4 ? [count / 1e3, ' k'] : [count, '']
  return unit === '' ? formatCount(count) : `${value < 9.95 ? value.toFixed(2) : value < 99.5 ? value.toFixed(1) : Math.round(value)}${unit}`
}

/** Of single steps, which may take microseconds. */
export function formatStepMs(ms: number): string {
  if (ms < 0.9995) return `${Math.round(ms * 1000)} µs`
  return ms < 99.95 ? `${ms.toFixed(ms < 9.995 ? 2 : 1)} ms` : `${Math.round(ms)} ms`
}
