/** The answer goes to stdout, all else to stderr. */
import { exitCodes } from './errors.ts'

/** A line for people. */
export function note(text: string): void {
  process.stderr.write(`${text}\n`)
}

/** `facet … | head` closes our stdout early: the reader has what it wanted. */
export function endQuietlyWithReader(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit(0)
      throw error
    })
  }
}

/** Until it is disposed, the first Ctrl-C (or other such signal) calls `handler` instead of ending the program; a second one ends it at once. */
export function onInterrupt(handler: () => void, signals: readonly NodeJS.Signals[] = ['SIGINT']): Disposable {
  let interrupted = false
  const listener = () => {
    if (interrupted) process.exit(exitCodes.interrupted)
    interrupted = true
    handler()
  }
  for (const signal of signals) process.on(signal, listener)
  return {
    [Symbol.dispose]: () => {
      for (const signal of signals) process.off(signal, listener)
    },
  }
}

/**
 * Keeps Ctrl-C from ending the program between two `onInterrupt`s: without any listener, the system would end it at once.
 * What is pressed in between reaches the next listener, as long as nothing but promises of our own is awaited.
 */
export function holdInterrupts(): Disposable {
  const listener = (): void => {}
  process.on('SIGINT', listener)
  return {
    [Symbol.dispose]: () => {
      process.off('SIGINT', listener)
    },
  }
}

/** What a terminal shows of it and does not obey: whoever has a say in an answer could write to it otherwise. */
export function withoutControls(text: string): string {
  return text.replaceAll(/(?![\n\t])\p{Cc}/gu, '')
}
