// `facet serve` under load: one client, then many of which some are cut off at random, then more than its queue takes. Each answer is compared
// with HF's. Ends with 1 if a request was lost, an answer wrong, or something left running.
// pnpm bench:serve [--clients 64] [--seconds 300] [--out bench/results/DATE-serve.md]
import { writeFileSync } from 'node:fs'
import { loadavg } from 'node:os'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { createRandom } from '@facetjs/core/testing'
import autocannon from 'autocannon'
import { median } from './measure.ts'
import { processorName } from './report.ts'
import { type Conversation, readConversations } from './serve/conversations.ts'
import { startServer } from './serve/server-process.ts'

const { values } = parseArgs({ options: { clients: { type: 'string', default: '64' }, seconds: { type: 'string', default: '300' }, out: { type: 'string' } } })
const [clients, seconds] = [Number(values.clients), Number(values.seconds)]
/** Of the clients, those that leave in the middle of a request. */
const cutters = Math.ceil(clients / 8)
const model = 'demo'

interface Phase {
  readonly title: string
  readonly clients: number
  readonly seconds: number
  readonly answers: number
  readonly wrong: number
  readonly lost: number
  readonly refused: number
  readonly other: number
  /** Of answers, in milliseconds. */
  readonly latencies: readonly number[]
  readonly problems: readonly string[]
}

/** Clients that ask one question after another; each counts what it got. */
async function load(title: string, url: string, conversations: readonly Conversation[], { clients: connections, duration }: { clients: number; duration: number }): Promise<Phase> {
  const counts = { answers: 0, wrong: 0, refused: 0, other: 0 }
  const latencies: number[] = []
  const problems: string[] = []
  let next = 0
  const result = await autocannon({
    url: `${url}/v1/chat/completions`,
    connections,
    duration,
    timeout: 120,
    setupClient(client) {
      let asked: Conversation
      let begun: number
      const ask = (): void => {
        asked = conversations[next++ % conversations.length]
        begun = performance.now()
        client.setHeadersAndBody({ 'content-type': 'application/json' }, asked.body)
      }
      client.on('body', (chunk) => void (body += chunk.toString()))
      let body = ''
      client.on('response', (status) => {
        if (status === 429) counts.refused++
        else if (status !== 200) {
          counts.other++
          if (problems.length < 5) problems.push(`${status} ${body.slice(0, 200)}`)
        } else {
          counts.answers++
          latencies.push(performance.now() - begun)
          const said = answerOf(body)
          if (said !== asked.answer) {
            counts.wrong++
            if (problems.length < 5) problems.push(`${JSON.stringify(said)} for ${JSON.stringify(asked.answer)}`)
          }
        }
        body = ''
        ask()
      })
      ask()
    },
    method: 'POST',
  })
  return { title, clients: connections, seconds: duration, ...counts, lost: result.errors + result.timeouts, latencies, problems }
}

function answerOf(body: string): unknown {
  try {
    return JSON.parse(body).choices[0].message.content
  } catch {
    return body
  }
}

/** Asks and leaves, after some time or while it reads, until it is told to end. Returns how often. */
async function cut(url: string, conversations: readonly Conversation[], isOver: () => boolean, random: () => number): Promise<number> {
  let times = 0
  while (!isOver()) {
    const { body } = conversations[Math.floor(random() * conversations.length)]
    const abort = new AbortController()
    const timer = setTimeout(() => abort.abort(), random() * 4000)
    const stream = random() < 0.5
    try {
      const response = await fetch(`${url}/v1/chat/completions`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: stream ? body.replace('{', '{"stream":true,') : body, signal: abort.signal })
      if (stream && response.body !== null) for await (const _ of response.body) if (random() < 0.2) break
      abort.abort()
    } catch {
      // that is what was wanted
    } finally {
      clearTimeout(timer)
    }
    times++
  }
  return times
}

const percentile = (sorted: readonly number[], share: number): string => (sorted.length === 0 ? '' : sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))].toFixed(0))
const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(0)} MB`

const conversations = readConversations(3, model)
const begunLoad = loadavg()[0]
const serving = ['--numerics', 'exact', '--name', model, '--parallel', '4', '--keep', '8']
const server = await startServer(...serving, '--queue', `${clients}`)
const phases: Phase[] = []
const generated = (): Promise<number> => server.metric('facet_generated_tokens_total')
const tokensPerSecond = new Map<string, number>()
const measured = async (...args: Parameters<typeof load>): Promise<Phase> => {
  const [before, begun] = [await generated(), performance.now()]
  const phase = await load(...args)
  tokensPerSecond.set(phase.title, ((await generated()) - before) / ((performance.now() - begun) / 1000))
  phases.push(phase)
  console.log(`${phase.title}: ${phase.answers} answers, ${phase.wrong} wrong, ${phase.lost} lost, ${phase.refused} refused, ${phase.other} other`)
  for (const problem of phase.problems) console.log(`  ${problem}`)
  return phase
}

await measured('one client', server.url, conversations, { clients: 1, duration: Math.max(5, seconds / 10) })

const memory: number[] = []
let isOver = false
const seeded = createRandom(1) // the same cuts each time
const random = (): number => seeded.unit()
const sampling = setInterval(() => void server.metric('process_resident_memory_bytes').then((bytes) => memory.push(bytes), () => {}), 5000)
const cuts = Promise.all(Array.from({ length: cutters }, () => cut(server.url, conversations, () => isOver, random)))
await measured(`${clients} clients`, server.url, conversations, { clients: clients - cutters, duration: seconds })
isOver = true
const cutTimes = (await cuts).reduce((sum, times) => sum + times, 0)
clearInterval(sampling)
/** What is still at work once all clients have gone; nothing is asked meanwhile. */
let left = Infinity
for (let tries = 0; tries < 100 && left > 0; tries++) {
  left = (await server.metric('facet_answers_running')) + (await server.metric('facet_answers_queued'))
  if (left > 0) await new Promise((resolve) => void setTimeout(resolve, 100))
}
const after = await load('after', server.url, conversations, { clients: 1, duration: 3 })
const exitCode = await server.stop()

const small = await startServer(...serving, '--queue', '8')
phases.push(await load(`${clients} clients, a queue of 8`, small.url, conversations, { clients, duration: Math.max(5, seconds / 20) }))
await small.stop()

const half = Math.floor(memory.length / 2)
const [early, late] = [memory.slice(Math.floor(memory.length / 6), half), memory.slice(half)].map((part) => (part.length === 0 ? 0 : median(part)))
const report = `# ${new Date().toISOString().slice(0, 10)}, \`facet serve\` under load

${processorName()}, Node ${process.version}, load average ${begunLoad.toFixed(1)} before. The demo model on WASM (\`exact\`), conversations of up to three turns, half of them about pictures, greedy, not streamed;
\`facet serve ${serving.join(' ')} --queue ${clients}\` and autocannon on the same cores. Each answer was compared with HF's. \`bench/serve-load.ts --clients ${clients} --seconds ${seconds}\`.

| | seconds | answers | wrong | lost | refused (429) | other errors | answers/s | tokens/s | ms: median | 90 % | 99 % | most |
|---|---|---|---|---|---|---|---|---|---|---|---|---|
${phases
  .map((phase) => {
    const sorted = phase.latencies.toSorted((a, b) => a - b)
    return `| ${phase.title} | ${phase.seconds} | ${phase.answers} | ${phase.wrong} | ${phase.lost} | ${phase.refused} | ${phase.other} | ${(phase.answers / phase.seconds).toFixed(1)} | ${tokensPerSecond.get(phase.title)?.toFixed(0) ?? ''} | ${[0.5, 0.9, 0.99, 1].map((share) => percentile(sorted, share)).join(' | ')} |`
  })
  .join('\n')}

- Of the ${clients} clients, ${cutters} left in the middle, ${cutTimes} times. ${left} requests were at work or waiting once all had gone; ${after.answers} answers after that, ${after.wrong} wrong. SIGTERM: exit code ${exitCode}.
- Resident memory of the server: ${megabytes(early)} in the first half (after the first sixth), ${megabytes(late)} in the second (medians of ${memory.length} samples).
`
console.log(report)
if (values.out !== undefined) writeFileSync(values.out, report)
const isRight = [...phases, after].every(({ answers, wrong, lost, other }) => answers > 0 && wrong === 0 && lost === 0 && other === 0) && left === 0 && exitCode === 0 && phases.at(-1)?.refused !== 0 && phases[1].refused === 0
process.exitCode = isRight ? 0 : 1
