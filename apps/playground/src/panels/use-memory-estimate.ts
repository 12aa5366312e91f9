import { connectGemma, type EngineOptions, type Gemma, type MemoryEstimate, type WorkerEngineOptions } from '@facetjs/core'
import { useEffect, useState } from 'react'

/** What the loaded model takes of its device, once it is there. Undefined where that cannot be said. */
export function useMemoryEstimate(engine: EngineOptions, gemma: Gemma | undefined): MemoryEstimate | undefined {
  const [estimate, setEstimate] = useState<MemoryEstimate>()
  useEffect(() => {
    setEstimate(undefined)
    if (gemma === undefined || !('worker' in engine)) return // a server's memory is its own affair
    const aborter = new AbortController()
    estimateMemory({ ...engine, backend: gemma.device.backend }, aborter.signal).then(setEstimate, () => {}) // a number less
    return () => aborter.abort()
    // The engine is the one that gave this model.
  }, [gemma])
  return estimate
}

/** From the model's headers alone, in a worker of its own. @throws GemmaError as `GemmaClient.estimate` */
export async function estimateMemory({ model, worker, key: _, ...options }: WorkerEngineOptions, signal: AbortSignal): Promise<MemoryEstimate> {
  await using client = connectGemma(worker())
  return await client.estimate(model, { ...options, signal })
}

/** With one conversation, and pictures where the model reads them. */
export function totalBytes({ weights, workspace, session, vision }: MemoryEstimate): number {
  return weights + workspace + session + vision
}
