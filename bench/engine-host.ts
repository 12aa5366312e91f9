// The process that one engine lives in: engine-host.ts NAME. Answers the calls of engine-process.ts over IPC.
import process from 'node:process'
import type { Engine, Loaded } from './engine.ts'
import type { Answer, Call } from './engine-process.ts'

const { engine }: { engine: Engine } = await import(`./engines/${process.argv[2]}.ts`)
let loaded: Loaded | undefined

async function answer(call: Call): Promise<unknown> {
  if (call.method === 'load') {
    loaded = await engine.load(call.model, call.options)
    const { loadMs, device, modelBytes, readBytesPerSecond } = loaded
    return { loadMs, device, modelBytes, readBytesPerSecond }
  }
  if (loaded === undefined) throw new Error(`${engine.name} is not loaded.`)
  switch (call.method) {
    case 'run':
      return await loaded.run(call.promptIds, call.decodeCount)
    case 'peakMemoryBytes':
      return loaded.peakMemoryBytes() ?? null
    case 'profile':
      return (await loaded.profile?.(call.rows, call.position)) ?? []
    case 'dispose':
      return await loaded.dispose()
  }
}

process.on('message', (call: Call) => {
  answer(call).then(
    (value) => process.send?.({ value } satisfies Answer),
    (error: unknown) => process.send?.({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) } satisfies Answer),
  )
})
process.on('disconnect', () => process.exit())
