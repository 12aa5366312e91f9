import { readFileSync } from 'node:fs'
import { cpus } from 'node:os'
import process from 'node:process'
import type { Measurement } from './measure.ts'
import type { ProfileRow } from './profile.ts'

export interface ReportFacts {
  readonly model: string
  readonly threads: number
  readonly promptTokens: number
  readonly decodeTokens: number
  readonly rounds: number
  readonly date: string
  /** 1-minute load averages before and after: what else ran. */
  readonly load: readonly [before: number, after: number]
  /** What ran as each engine. */
  readonly devices: Readonly<Record<string, string>>
  readonly bytesPerThread: number
}

const columns = ['prefill', 'prefillMacs', 'decode', 'decodeBandwidth', 'load', 'peakMemory'] as const
const titles: Readonly<Record<(typeof columns)[number], string>> = {
  prefill: 'prefill tok/s',
  prefillMacs: 'prefill GMAC/s',
  decode: 'decode tok/s',
  decodeBandwidth: 'of read bandwidth',
  load: 'load s',
  peakMemory: 'peak MB',
}

export function renderTable(rows: readonly Measurement[]): string {
  const engines = [...new Set(rows.map(({ engine }) => engine))].filter((engine) => engine !== 'machine')
  const find = (engine: string, metric: string): Measurement | undefined => rows.find((row) => row.engine === engine && row.metric === metric)
  const line = (engine: string): string => `| ${engine} | ${columns.map((metric) => cell(find(engine, metric))).join(' | ')} |`
  const contexts = [...new Set(rows.map(({ metric }) => metric))].filter((metric) => metric.startsWith('decode@'))
  const contextTable = [
    `| engine | ${contexts.map((metric) => `${metric.replace('@', ' at ')} tok/s`).join(' | ')} | cost of the longest |`,
    `|---|${'---|'.repeat(contexts.length + 1)}`,
    ...engines.map((engine) => `| ${engine} | ${contexts.map((metric) => cell(find(engine, metric))).join(' | ')} | ${cell(find(engine, 'contextCost'))} |`),
  ]
  return [
    `| engine | ${columns.map((metric) => titles[metric]).join(' | ')} |`,
    `|---|${'---|'.repeat(columns.length)}`,
    ...engines.map(line),
    ...(contexts.length > 0 ? ['', ...contextTable] : []),
  ].join('\n')
}

function cell(row: Measurement | undefined): string {
  if (row === undefined) return ''
  const { metric, value, ratioToNative } = row
  if (metric === 'decodeBandwidth') return `${(value * 100).toFixed(0)} %`
  if (metric === 'contextCost') return `${value.toFixed(2)} ×`
  const shown = metric === 'load' ? (value / 1000).toFixed(2) : metric === 'peakMemory' ? (value / 1e6).toFixed(0) : value.toFixed(1)
  return ratioToNative === null || metric === 'prefillMacs' ? shown : `${shown} (${ratioToNative.toFixed(2)} ×)`
}

export function renderReport(rows: readonly Measurement[], facts: ReportFacts): string {
  const machine = (metric: string): string => rows.find((row) => row.engine === 'machine' && row.metric === metric)?.value.toFixed(1) ?? 'not measured'
  const { promptTokens, decodeTokens, threads, rounds } = facts
  return `# ${facts.date}, ${processorName()}

${facts.model}; ${promptTokens} tokens in, ${decodeTokens} out, greedy; ${threads} threads; medians of ${rounds} rounds, interleaved, after one that does not count.
Node ${process.version}, ${cpus().length} cores, load average ${facts.load.map((load) => load.toFixed(1)).join(' before and ')} after. (n ×) is the ratio to llama-native.

${renderTable(rows)}

${Object.entries(facts.devices)
  .map(([name, device]) => `- ${name}: ${device}`)
  .join('\n')}
- Memory: ${machine('readBandwidth')} GB/s read by ${threads} threads (WASM v128 loads, ${facts.bytesPerThread / 2 ** 20} MiB of its own for each thread, best of eight looks of 0.3 s, half before and half after). The share is decode × the file's weight bytes ÷ that; KV is not counted.
- Dot product: ${machine('relaxedDot')} GMAC/s (i32x4.relaxed_dot_i8x16_i7x16_add_s with all operands in registers, ${threads} threads, best of eight looks): the ceiling of kernels built on it. GMAC/s of prefill counts the linear steps of the layers, not attention and head.
- Prefill ends with the first chosen token, decode with the last; wllama's are its server's own clocks, and it tokenises the text of the same ids again.
- Load: from the file (in the page cache) to ready; wllama's includes fetching the file from a local server. Peak: resident memory of the process, mapped file pages included; of Chromium, its renderer.
`
}

export function renderProfile(rows: readonly ProfileRow[], title: string): string {
  const [whole, ...kinds] = rows
  const sum = kinds.reduce((total, { ms }) => total + ms, 0)
  const line = ({ kind, steps, ms, macs, weightBytes }: ProfileRow): string => {
    const rates = [macs > 0 ? (macs / ms / 1e6).toFixed(1) : '', weightBytes > 0 ? (weightBytes / ms / 1e6).toFixed(1) : '']
    return `| ${kind} | ${steps} | ${ms.toFixed(3)} | ${((ms / sum) * 100).toFixed(1)} % | ${rates.join(' | ')} |`
  }
  return [
    `${title}: the steps' sum is ${sum.toFixed(2)} ms, the whole run ${whole.ms.toFixed(2)} ms.`,
    '',
    '| step kind, alone | steps | ms | share | GMAC/s | weights GB/s |',
    '|---|---|---|---|---|---|',
    ...kinds.toSorted((a, b) => b.ms - a.ms).map(line),
    line(whole),
  ].join('\n')
}

/** 'AMD EPYC, family 25 model 1': the name alone says too little on a virtual machine. */
export function processorName(): string {
  const name = cpus()[0]?.model ?? 'unknown processor'
  if (process.platform !== 'linux') return name
  const info = readFileSync('/proc/cpuinfo', 'utf8')
  const field = (label: string): string | undefined => new RegExp(`^${label}\\s*: (\\d+)`, 'm').exec(info)?.[1]
  const family = field('cpu family')
  return family === undefined ? name : `${name}, family ${family} model ${field('model')}`
}
