// `pnpm bench`: Facet beside llama.cpp (native, and wllama in Chromium) on the same file, prompts and threads, interleaved.
//   --engines a,b        of those in engine.ts; Facet's on the CPU, llama.cpp and wllama by default
//   --backend webgpu     (or cuda, wasm) short for --engines facet-webgpu-fast; also dispatches, encode time and GPU time of the prompt and of a token.
//                        CUDA is emulated where there is no card (needs clang 19): --model packages/demo-model/model/demo-q8_0.gguf --prompt 16 --tokens 4
//   --model FILE         the real Gemma 3 270M by default
//   --synthetic SIZE     270m, 1b, 4b, 12b, 27b instead: its shapes with random weights (Q4_0, table Q8_0), no file; on webgpu by default
//   --bandwidth-gbs N    what the device's memory can do: decode is told as a share of it; of CUDA's card known without
//   --threads N, --prompt N, --tokens N, --rounds N      2, 256, 48, 5
//   --contexts 512,8192  also decode with that much context (the prompt fills it)
//   --profile            time per kind of step, of Facet's engines, instead of the race
//   --json FILE          [{engine, metric, value, unit, ratioToNative}]
//   --save               keep table and numbers as bench/results/<date>-<processor>.md and .json
import { writeFileSync } from 'node:fs'
import { basename } from 'node:path'
import { loadavg } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { fetchModel } from '../scripts/model-fetch.ts'
import { openBenchModel, syntheticName } from './bench-model.ts'
import { comparedEngines, type EngineName, engineNames, isOnCpu, titleOf } from './engine.ts'
import { type EngineProcess, startEngine } from './engine-process.ts'
import { costMetrics, decodeSpeed, interleave, type Measurement, median, prefillSpeed, withRatios } from './measure.ts'
import { better, measureMachine } from './measure-machine.ts'
import { modelFacts } from './model-facts.ts'
import { processorName, renderProfile, renderReport } from './report.ts'

const { values } = parseArgs({
  options: {
    engines: { type: 'string' },
    backend: { type: 'string' },
    model: { type: 'string' },
    synthetic: { type: 'string' },
    'bandwidth-gbs': { type: 'string' },
    threads: { type: 'string', default: '2' },
    prompt: { type: 'string', default: '256' },
    tokens: { type: 'string', default: '48' },
    rounds: { type: 'string', default: '5' },
    contexts: { type: 'string' },
    profile: { type: 'boolean', default: false },
    json: { type: 'string' },
    save: { type: 'boolean', default: false },
  },
})
const log = (line: string): void => console.error(line)

function count(name: 'threads' | 'prompt' | 'tokens' | 'rounds', least: number): number {
  const value = Number(values[name])
  if (Number.isInteger(value) && value >= least) return value
  throw new Error(`--${name} is ${values[name]}. Give a whole number of at least ${least}.`)
}

function chosenEngines(): EngineName[] {
  const backend = values.backend ?? (values.synthetic === undefined ? undefined : 'webgpu')
  const chosen = values.engines ?? (backend === undefined ? comparedEngines.join() : `facet-${backend}-fast`)
  return chosen.split(',').map((wanted) => {
    const name = engineNames.find((engine) => engine === wanted)
    if (name === undefined) throw new Error(`There is no engine ${wanted}. Choose from ${engineNames.join(', ')}.`)
    return name
  })
}

const counts = { promptTokens: count('prompt', 2), decodeTokens: count('tokens', 2), rounds: count('rounds', 1) }
const threads = count('threads', 1)
const bandwidth = values['bandwidth-gbs'] === undefined ? undefined : Number(values['bandwidth-gbs'])
if (bandwidth !== undefined && !(bandwidth > 0)) throw new Error(`--bandwidth-gbs is ${values['bandwidth-gbs']}. Give GB/s, as the device's data sheet has it.`)
const contexts = (values.contexts?.split(',') ?? []).map(Number)
const names = chosenEngines()
const modelPath = values.synthetic === undefined ? (values.model ?? (await fetchModel({ log }))) : syntheticName(values.synthetic)

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

const checkpoint = await openBenchModel(modelPath)
const { macsPerPromptToken, weightBytesPerToken } = modelFacts(checkpoint)
const shape = { ...counts, vocabSize: checkpoint.config.text.vocabSize }
const modelName = values.synthetic === undefined ? basename(modelPath) : checkpoint.name
await checkpoint.close()

async function race(): Promise<void> {
  const loadBefore = loadavg()[0]
  const isCpuMeasured = names.some(isOnCpu)
  const machineBefore = isCpuMeasured ? await measureMachine(threads) : undefined
  const measured: Unrated[] = []

  const engines = await startAll(names, Math.ceil((shape.promptTokens + shape.decodeTokens) / 512) * 512)
  const results = await interleave(engines, shape, log)
  for (const engine of engines) {
    const { name, loadMs, modelBytes } = engine
    const runs = results.get(name) ?? []
    const [prefill, decode] = [median(runs.map(prefillSpeed)), median(runs.map(decodeSpeed))]
    const peak = await engine.peakMemoryBytes()
    measured.push(
      { engine: name, metric: 'prefill', value: prefill, unit: 'token/s' },
      { engine: name, metric: 'prefillMacs', value: (prefill * macsPerPromptToken) / 1e9, unit: 'GMAC/s' },
      { engine: name, metric: 'decode', value: decode, unit: 'token/s' },
      { engine: name, metric: 'load', value: loadMs, unit: 'ms' },
      ...(peak === undefined ? [] : [{ engine: name, metric: 'peakMemory', value: peak, unit: 'byte' }]),
      ...(modelBytes === undefined ? [] : [{ engine: name, metric: 'modelMemory', value: modelBytes, unit: 'byte' }]),
      ...costMetrics(name, runs),
    )
  }
  await Promise.all(engines.map((engine) => engine.dispose()))
  measured.push(...(await decodeAtContexts(engines.map(({ name }) => name))))
  const machine = machineBefore && better(machineBefore, await measureMachine(threads))
  for (const { name, readBytesPerSecond: ofDevice } of engines) {
    const readBytesPerSecond = bandwidth === undefined ? (isOnCpu(name) ? machine?.readBytesPerSecond : ofDevice) : bandwidth * 1e9
    const speed = measured.find(({ engine, metric }) => engine === name && metric === 'decode')?.value
    if (readBytesPerSecond === undefined || speed === undefined) continue
    measured.push({ engine: name, metric: 'decodeBandwidth', value: (speed * weightBytesPerToken) / readBytesPerSecond, unit: 'share of read bandwidth' })
  }
  if (machine !== undefined) measured.push({ engine: 'machine', metric: 'readBandwidth', value: machine.readBytesPerSecond / 1e9, unit: 'GB/s' })
  if (machine?.relaxedDotMacsPerSecond !== undefined) measured.push({ engine: 'machine', metric: 'relaxedDot', value: machine.relaxedDotMacsPerSecond / 1e9, unit: 'GMAC/s' })

  const titles = new Map<string, string>(engines.map(({ name, device }) => [name, titleOf(name, device)]))
  const rows = withRatios(measured).map((row) => ({ ...row, engine: titles.get(row.engine) ?? row.engine }))
  const date = new Date().toISOString().slice(0, 10)
  const devices = Object.fromEntries(engines.map(({ name, device }) => [titleOf(name, device), device]))
  const [cardBandwidth] = bandwidth === undefined ? engines.flatMap(({ readBytesPerSecond = 0 }) => (readBytesPerSecond > 0 ? [readBytesPerSecond / 1e9] : [])) : []
  const report = renderReport(rows, { model: modelName, threads, ...shape, date, load: [loadBefore, loadavg()[0]], devices, weightBytesPerToken, ...(bandwidth !== undefined && { bandwidth }), ...(cardBandwidth !== undefined && { cardBandwidth }), ...(machine && { bytesPerThread: machine.bytesPerThread }) })
  console.log(report)
  const json = `${JSON.stringify(rows, undefined, 1)}\n`
  if (values.json !== undefined) writeFileSync(values.json, json)
  if (values.save) {
    const slug = (isCpuMeasured ? processorName() : Object.values(devices)[0]).toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')
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
    const results = await interleave(engines, { ...shape, promptTokens: context - shape.decodeTokens, rounds: Math.min(shape.rounds, 3) }, log)
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
    const title = titleOf(name, engine.device)
    console.log(`# ${title}: ${engine.device}\n`)
    console.log(`${renderProfile(await engine.profile(shape.promptTokens, 0), `${title}: prefill of ${shape.promptTokens} tokens`)}\n`)
    console.log(`${renderProfile(await engine.profile(1, shape.promptTokens), `${title}: decode at position ${shape.promptTokens}`)}\n`)
    await engine.dispose()
  }
}

await (values.profile ? profile() : race())
