// `pnpm bench`: Facet beside llama.cpp (native, and wllama in Chromium) on the same file, prompts and threads, interleaved.
//   --engines a,b        of facet-wasm-fast, facet-wasm-exact, facet-reference, llama-native, wllama; all but the reference by default
//   --model FILE         the real Gemma 3 270M by default
//   --threads N, --prompt N, --decode N, --rounds N      2, 256, 48, 5
//   --contexts 512,8192  also decode with that much context (the prompt fills it)
//   --profile            time per kind of step, of Facet's engines, instead of the race
//   --json FILE          [{engine, metric, value, unit, ratioToNative}]
//   --save               keep table and numbers as bench/results/<date>-<processor>.md and .json
import { writeFileSync } from 'node:fs'
import { basename } from 'node:path'
import { loadavg } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { openModel } from '@facetjs/core'
import { fetchModel } from '../scripts/model-fetch.ts'
import { type EngineName, engineNames } from './engine.ts'
import { type EngineProcess, startEngine } from './engine-process.ts'
import { decodeSpeed, interleave, type Measurement, median, prefillSpeed, withRatios } from './measure.ts'
import { better, measureMachine } from './measure-machine.ts'
import { modelFacts } from './model-facts.ts'
import { processorName, renderProfile, renderReport } from './report.ts'

const { values } = parseArgs({
  options: {
    engines: { type: 'string' },
    model: { type: 'string' },
    threads: { type: 'string', default: '2' },
    prompt: { type: 'string', default: '256' },
    decode: { type: 'string', default: '48' },
    rounds: { type: 'string', default: '5' },
    contexts: { type: 'string' },
    profile: { type: 'boolean', default: false },
    json: { type: 'string' },
    save: { type: 'boolean', default: false },
  },
})
const log = (line: string): void => console.error(line)

function count(name: 'threads' | 'prompt' | 'decode' | 'rounds', least: number): number {
  const value = Number(values[name])
  if (Number.isInteger(value) && value >= least) return value
  throw new Error(`--${name} is ${values[name]}. Give a whole number of at least ${least}.`)
}

function chosenEngines(): EngineName[] {
  if (values.engines === undefined) return engineNames.filter((name) => name !== 'facet-reference')
  return values.engines.split(',').map((wanted) => {
    const name = engineNames.find((engine) => engine === wanted)
    if (name === undefined) throw new Error(`There is no engine ${wanted}. Choose from ${engineNames.join(', ')}.`)
    return name
  })
}

const shape = { promptTokens: count('prompt', 2), decodeTokens: count('decode', 2), rounds: count('rounds', 1) }
const threads = count('threads', 1)
const contexts = (values.contexts?.split(',') ?? []).map(Number)
const modelPath = values.model ?? (await fetchModel({ log }))
const names = chosenEngines()

async function startAll(engines: readonly EngineName[], contextLength: number): Promise<EngineProcess[]> {
  const started: EngineProcess[] = []
  for (const name of engines) {
    try {
      started.push(await startEngine(name, modelPath, { threads, contextLength }))
      log(`${name}: ${started.at(-1)?.device}`)
    } catch (error) {
      log(`${name} is left out: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  if (started.length === 0) throw new Error('No engine is there to be measured; the lines above say why.')
  return started
}

type Unrated = Omit<Measurement, 'ratioToNative'>

async function race(): Promise<void> {
  const loadBefore = loadavg()[0]
  const checkpoint = await openModel(modelPath)
  const { macsPerPromptToken, weightBytesPerToken } = modelFacts(checkpoint)
  await checkpoint.close()
  const machineBefore = await measureMachine(threads)
  const measured: Unrated[] = []

  const engines = await startAll(names, Math.ceil((shape.promptTokens + shape.decodeTokens) / 512) * 512)
  const results = await interleave(engines, shape, log)
  for (const engine of engines) {
    const { name, loadMs } = engine
    const runs = results.get(name) ?? []
    const [prefill, decode] = [median(runs.map(prefillSpeed)), median(runs.map(decodeSpeed))]
    const peak = await engine.peakMemoryBytes()
    measured.push(
      { engine: name, metric: 'prefill', value: prefill, unit: 'token/s' },
      { engine: name, metric: 'prefillMacs', value: (prefill * macsPerPromptToken) / 1e9, unit: 'GMAC/s' },
      { engine: name, metric: 'decode', value: decode, unit: 'token/s' },
      { engine: name, metric: 'load', value: loadMs, unit: 'ms' },
      ...(peak === undefined ? [] : [{ engine: name, metric: 'peakMemory', value: peak, unit: 'byte' }]),
    )
  }
  await Promise.all(engines.map((engine) => engine.dispose()))
  measured.push(...(await decodeAtContexts(engines.map(({ name }) => name))))
  const machine = better(machineBefore, await measureMachine(threads))
  for (const { engine, value } of measured.filter(({ metric }) => metric === 'decode')) {
    measured.push({ engine, metric: 'decodeBandwidth', value: (value * weightBytesPerToken) / machine.readBytesPerSecond, unit: 'share of read bandwidth' })
  }
  measured.push({ engine: 'machine', metric: 'readBandwidth', value: machine.readBytesPerSecond / 1e9, unit: 'GB/s' })
  if (machine.relaxedDotMacsPerSecond !== undefined) measured.push({ engine: 'machine', metric: 'relaxedDot', value: machine.relaxedDotMacsPerSecond / 1e9, unit: 'GMAC/s' })

  const rows = withRatios(measured)
  const date = new Date().toISOString().slice(0, 10)
  const devices = Object.fromEntries(engines.map(({ name, device }) => [name, device]))
  const report = renderReport(rows, { model: basename(modelPath), threads, ...shape, date, load: [loadBefore, loadavg()[0]], devices, bytesPerThread: machine.bytesPerThread })
  console.log(report)
  const json = `${JSON.stringify(rows, undefined, 1)}\n`
  if (values.json !== undefined) writeFileSync(values.json, json)
  if (values.save) {
    const slug = processorName().toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')
    const file = (ending: string): string => fileURLToPath(new URL(`results/${date}-${slug}.${ending}`, import.meta.url))
    writeFileSync(file('md'), report)
    writeFileSync(file('json'), json)
  }
}

/** Each prompt fills its context but for the tokens that are decoded. */
async function decodeAtContexts(engineList: readonly EngineName[]): Promise<Unrated[]> {
  if (contexts.length === 0) return []
  const engines = await startAll(engineList, Math.max(...contexts))
  const measured: Unrated[] = []
  for (const context of contexts) {
    log(`context ${context}:`)
    const results = await interleave(engines, { promptTokens: context - shape.decodeTokens, decodeTokens: shape.decodeTokens, rounds: Math.min(shape.rounds, 3) }, log)
    for (const [engine, runs] of results) measured.push({ engine, metric: `decode@${context}`, value: median(runs.map(decodeSpeed)), unit: 'token/s' })
  }
  await Promise.all(engines.map((engine) => engine.dispose()))
  for (const { name: engine } of engines) {
    const speeds = contexts.toSorted((a, b) => a - b).map((context) => measured.find((row) => row.engine === engine && row.metric === `decode@${context}`)?.value ?? 0)
    measured.push({ engine, metric: 'contextCost', value: speeds[0] / (speeds.at(-1) ?? 0), unit: 'times the shortest' })
  }
  return measured
}

async function profile(): Promise<void> {
  for (const name of names.filter((engine) => engine.startsWith('facet-'))) {
    const engine = await startEngine(name, modelPath, { threads, contextLength: Math.ceil((shape.promptTokens + shape.decodeTokens) / 512) * 512 })
    console.log(`# ${name}: ${engine.device}\n`)
    console.log(`${renderProfile(await engine.profile(shape.promptTokens, 0), `Prefill of ${shape.promptTokens} tokens`)}\n`)
    console.log(`${renderProfile(await engine.profile(1, shape.promptTokens), `Decode at position ${shape.promptTokens}`)}\n`)
    await engine.dispose()
  }
}

await (values.profile ? profile() : race())
