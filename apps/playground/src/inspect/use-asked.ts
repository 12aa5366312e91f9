import { useEffect, useRef, useState } from 'react'

export interface Question<T> {
  /** Another key is another question. */
  readonly key: string
  /** Done, of 1. */
  readonly ask: (signal: AbortSignal, onProgress: (done: number) => void) => Promise<T>
}

export interface Asked<T> {
  /** While another question is open, still the answer to the last one. */
  readonly value: T | undefined
  readonly isOpen: boolean
  /** Of the open question, 0 … 1, where it can be told. */
  readonly progress: number | undefined
  readonly error: Error | undefined
  /** Asks once more. */
  readonly again: () => void
}

interface Told<T> {
  readonly key?: string
  readonly value?: T
  readonly error?: Error
}

/** Asks one question at a time: the next one, or none, ends the one before; so does the end of the component. */
export function useAsked<T>(question: Question<T> | undefined): Asked<T> {
  const [told, setTold] = useState<Told<T>>({})
  const [progress, setProgress] = useState<number>()
  const [tries, setTries] = useState(0)
  const latest = useRef(question)
  useEffect(() => {
    latest.current = question
  })
  const key = question?.key
  useEffect(() => {
    if (key === undefined) return
    const aborter = new AbortController()
    const { signal } = aborter
    const unlessEnded = (then: () => void): void => {
      if (!signal.aborted) then()
    }
    setProgress(undefined)
    setTold(({ value }) => (value === undefined ? {} : { value }))
    latest.current?.ask(signal, (done) => unlessEnded(() => setProgress(done))).then(
      (value) => unlessEnded(() => setTold({ key, value })),
      (reason: unknown) => unlessEnded(() => setTold((before) => ({ ...before, key, error: reason instanceof Error ? reason : new Error(String(reason)) }))),
    )
    return () => aborter.abort()
  }, [key, tries])
  return { value: told.value, error: told.error, isOpen: key !== undefined && told.key !== key && told.error === undefined, progress, again: () => setTries((before) => before + 1) }
}
