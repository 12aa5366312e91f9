import type { WorkerEngineOptions } from '@facetjs/core'
import { useEffect, useRef, useState } from 'react'
import { estimateMemory, totalBytes } from '../panels/use-memory-estimate.ts'

/** What each of these engines will take, in bytes: one after another, as it is found. None of what cannot be said. */
export function useLaneMemory(engines: readonly WorkerEngineOptions[], isWanted: boolean): ReadonlyMap<WorkerEngineOptions, number> {
  const [bytes, setBytes] = useState<ReadonlyMap<WorkerEngineOptions, number>>(new Map())
  const asked = useRef(new Set<WorkerEngineOptions>())
  useEffect(() => {
    if (!isWanted) return
    const aborter = new AbortController()
    const estimateAll = async (): Promise<void> => {
      for (const engine of engines) {
        if (asked.current.has(engine)) continue
        const estimate = await estimateMemory(engine, aborter.signal).catch(() => undefined)
        if (aborter.signal.aborted) return
        asked.current.add(engine)
        if (estimate !== undefined) setBytes((before) => new Map(before).set(engine, totalBytes(estimate)))
      }
    }
    void estimateAll()
    return () => aborter.abort()
  }, [engines, isWanted])
  return bytes
}
