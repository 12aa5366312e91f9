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
  readonly weightBytesPerToken: number
  /** GB/s, where it was given and not measured. */
  readonly bandwidth?: number
  /** GB/s, where a card told its clocks and none was given. */
  readonly cardBandwidth?: number
  /** Of the memory that was read; undefined where no engine runs on the CPU. */
  readonly bytesPerThread?: number
}

const columns = ['prefill', 'prefillMacs', 'decode', 'decodeBandwidth', 'load', 'peakMemory', 'modelMemory'] as const
const titles: Readonly<Record<(typeof columns)[number], string>> = {
  prefill: 'prefill tok/s',
  prefillMacs: 'prefill GMAC/s',
  decode: 'decode tok/s',
  decodeBandwidth: 'of read bandwidth',
  load: 'load s',
  peakMemory: 'peak MB',
  modelMemory: 'model MB',
}

/** Of engines that tell what the device did. */
const deviceColumns = ['decodeDispatches', 'decodeEncode', 'decodeGpu', 'prefillDispatches', 'prefillEncode', 'prefillGpu'] as const
const deviceTitles: Readonly<Record<(typeof deviceColumns)[number], string>> = {
  decodeDispatches: 'a token: kernels',
  decodeEncode: 'encode ms',
  decodeGpu: 'GPU ms',
  prefillDispatches: 'the prompt: kernels',
  prefillEncode: 'encode ms',
  prefillGpu: 'GPU ms',
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
  const profiled = engines.filter((engine) => find(engine, 'decodeDispatches') !== undefined)
  const deviceTable = [
    `| engine | ${deviceColumns.map((metric) => deviceTitles[metric]).join(' | ')} |`,
    `|---|${'---|'.repeat(deviceColumns.length)}`,
    ...profiled.map((engine) => `| ${engine} | ${deviceColumns.map((metric) => cell(find(engine, metric))).join(' | ')} |`),
  ]
  return [
    `| engine | ${columns.map((metric) => titles[metric]).join(' | ')} |`,
    `|---|${'---|'.repeat(columns.length)}`,
    ...engines.map(line),
    ...(profiled.length > 0 ? ['', ...deviceTable] : []),
    ...(contexts.length > 0 ? ['', ...contextTable] : []),
  ].join('\n')
}

function cell(row: Measurement | undefined): string {
  if (row === undefined) return ''
  const { metric, value, ratioToNative } = row
  if (metric === 'decodeBandwidth') return `${(value * 100).toFixed(0)} %`
  if (metric === 'contextCost') return `${value.toFixed(2)} ×`
  const shown = metric === 'load' ? (value / 1000).toFixed(2) : metric.endsWith('Memory') ? (value / 1e6).toFixed(0) : metric.endsWith('Dispatches') ? value.toFixed(0) : value < 10 ? value.toPrecision(3) : value.toFixed(1)
  return ratioToNative === null || metric === 'prefillMacs' ? shown : `${shown} (${ratioToNative.toFixed(2)} ×)`
}

export function renderReport(rows: readonly Measurement[], facts: ReportFacts): string {
  const machine = (metric: string): string => rows.find((row) => row.engine === 'machine' && row.metric === metric)?.value.toFixed(1) ?? 'not measured'
  const { promptTokens, decodeTokens, threads, rounds, weightBytesPerToken, bandwidth, cardBandwidth, bytesPerThread } = facts
  const isProfiled = rows.some(({ metric }) => metric === 'decodeDispatches')
  const given = bandwidth === undefined ? cardBandwidth && `${cardBandwidth.toFixed(0)} GB/s by the card's own data (2 × memory clock × bus width)` : `${bandwidth} GB/s as --bandwidth-gbs gave it`
  const notes = [
    ...(given === undefined ? [] : [`- Memory: ${given}. The share is decode × the model's weight bytes (${(weightBytesPerToken / 1e6).toFixed(0)} MB) ÷ that; KV is not counted.`]),
    ...(bytesPerThread === undefined
      ? []
      : [
          `- Memory: ${machine('readBandwidth')} GB/s read by ${threads} threads (WASM v128 loads, ${bytesPerThread / 2 ** 20} MiB of its own for each thread, best of eight looks of 0.3 s, half before and half after).${bandwidth === undefined ? " The share is decode × the file's weight bytes ÷ that; KV is not counted." : ''}`,
          `- Dot product: ${machine('relaxedDot')} GMAC/s (i32x4.relaxed_dot_i8x16_i7x16_add_s with all operands in registers, ${threads} threads, best of eight looks): the ceiling of kernels built on it. GMAC/s of prefill counts the linear steps of the layers, not attention and head.`,
        ]),
    ...(isProfiled ? ["- GPU ms by the device's own clock (nothing where it has none), encode ms of the host's thread; a token's are medians of the decode runs, the prompt's are sums."] : []),
  ]
  return `# ${facts.date}, ${processorName()}

${facts.model}; ${promptTokens} tokens in, ${decodeTokens} out, greedy; ${isProfiled && bytesPerThread === undefined ? '' : `${threads} threads; `}${rounds === 1 ? 'one round' : `medians of ${rounds} rounds, interleaved`}, after one that does not count.
Node ${process.version}, ${cpus().length} cores, load average ${facts.load.map((load) => load.toFixed(1)).join(' before and ')} after.${rows.some(({ ratioToNative }) => ratioToNative !== null) ? ' (n ×) is the ratio to llama-native.' : ''}

${renderTable(rows)}

${Object.entries(facts.devices)
  .map(([name, device]) => `- ${name}: ${device}`)
  .join('\n')}
${notes.join('\n')}
- Prefill ends with the first chosen token, decode with the last; wllama's are its server's own clocks, and it tokenises the text of the same ids again.
- Load: from the file (in the page cache) to ready; wllama's includes fetching the file from a local server. Peak: resident memory of the process, mapped file pages included; of Chromium, its renderer.
  Model: weights, workspace and one session on the device, as Gemma.estimate says.
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
