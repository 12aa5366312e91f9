// Gemma 3's vision tower at full size, random weights, one image of 896 × 896, on the WASM backend; beside torch where it is installed.
// node --conditions=@facetjs/source bench/vision.ts
//   --torch PYTHON       a Python with torch and transformers, interleaved: python3 -m venv V && V/bin/pip install torch transformers
//   --numerics exact     fast by default
//   --layers N           27; fewer for a quick look
//   --weights bf16       f16 by default
//   --threads N, --rounds N      2, 3
//   --profile            ms per kind of step instead of the race
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { loadavg } from 'node:os'
import process from 'node:process'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { wasm } from '@facetjs/backend-wasm'
import { median } from './measure.ts'
import { processorName } from './report.ts'
import { openTower } from './vision-tower.ts'

const { values } = parseArgs({
  options: {
    torch: { type: 'string' },
    numerics: { type: 'string', default: 'fast' },
    layers: { type: 'string', default: '27' },
    weights: { type: 'string', default: 'f16' },
    threads: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '3' },
    profile: { type: 'boolean', default: false },
  },
})
const [layers, threads, rounds] = [values.layers, values.threads, values.rounds].map(Number)
const numerics = values.numerics === 'exact' ? 'exact' : 'fast'
const weightType = values.weights === 'bf16' ? 'bf16' : 'f16'

/** All linear memories made from here on: the backend does not say how large its own is. */
const memories: WebAssembly.Memory[] = []
WebAssembly.Memory = new Proxy(WebAssembly.Memory, {
  construct(target, args: [WebAssembly.MemoryDescriptor]) {
    const memory = new target(...args)
    memories.push(memory)
    return memory
  },
})

interface Torch {
  readonly device: string
  run(): Promise<{ readonly ms: number; readonly peakBytes: number }>
  end(): void
}

async function startTorch(python: string): Promise<Torch> {
  const child: ChildProcessByStdio<Writable, Readable, null> = spawn(python, [fileURLToPath(new URL('vision-torch.py', import.meta.url)), `${layers}`, `${threads}`], { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  const next = async <T>(): Promise<T> => {
    const { value, done } = await lines.next()
    if (done === true) throw new Error(`${python} ended: the lines above say why.`)
    return JSON.parse(value)
  }
  const { device } = await next<{ device: string }>()
  return {
    device,
    run() {
      child.stdin.write('\n')
      return next()
    },
    end: () => child.stdin.end(),
  }
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`
const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(0)} MB`

const tower = await openTower({ backend: wasm({ threads }), numerics, layers, weightType })
console.log(`${processorName()}, Node ${process.version}; ${layers} layers, load average ${loadavg()[0].toFixed(1)}`)
console.log(`${tower.device}, ${numerics}, ${weightType}: loaded in ${seconds(tower.loadMs)} (weights made on the way), buffers ${megabytes(tower.bufferBytes)}`)

if (values.profile) {
  const rows = await tower.profile()
  const sum = rows.reduce((total, { ms }) => total + ms, 0)
  console.log('\n| step kind, alone | steps | ms | share | GMAC/s |\n|---|---|---|---|---|')
  for (const { kind, steps, ms, macs } of rows.toSorted((a, b) => b.ms - a.ms)) {
    console.log(`| ${kind} | ${steps} | ${ms.toFixed(0)} | ${((ms / sum) * 100).toFixed(1)} % | ${macs > 0 ? (macs / ms / 1e6).toFixed(1) : ''} |`)
  }
  console.log(`\nsum ${seconds(sum)}, one run ${seconds(await tower.run())}`)
} else {
  const torch = values.torch === undefined ? undefined : await startTorch(values.torch)
  if (torch !== undefined) console.log(torch.device)
  const [ours, theirs]: [number[], number[]] = [[], []]
  let peakBytes = 0
  // Round 0 warms up and does not count.
  for (let round = 0; round <= rounds; round++) {
    const ms = await tower.run()
    const other = await torch?.run()
    console.log(`${round === 0 ? 'warm-up' : `round ${round}`}: facet ${seconds(ms)}${other === undefined ? '' : `, torch ${seconds(other.ms)}, ratio ${(ms / other.ms).toFixed(2)}`}`)
    if (round === 0) continue
    ours.push(ms)
    if (other !== undefined) {
      theirs.push(other.ms)
      peakBytes = other.peakBytes
    }
  }
  torch?.end()
  console.log(`facet: median ${seconds(median(ours))}, best ${seconds(Math.min(...ours))}`)
  if (theirs.length > 0) {
    console.log(`torch: median ${seconds(median(theirs))}, best ${seconds(Math.min(...theirs))}, resident ${megabytes(peakBytes)}`)
    console.log(`facet ÷ torch: ${(median(ours) / median(theirs)).toFixed(2)} (medians), ${(Math.min(...ours) / Math.min(...theirs)).toFixed(2)} (best)`)
  }
}
console.log(`linear memory ${megabytes(Math.max(...memories.map(({ buffer }) => buffer.byteLength)))}, resident at most ${megabytes(process.resourceUsage().maxRSS * 1024)}`)
await tower.dispose()
