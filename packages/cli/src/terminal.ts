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

/** Until it is disposed, the first Ctrl-C calls `handler` instead of ending the program; a second one ends it at once. */
export function onInterrupt(handler: () => void): Disposable {
  let interrupted = false
  const listener = () => {
    if (interrupted) process.exit(exitCodes.interrupted)
    interrupted = true
    handler()
  }
  process.on('SIGINT', listener)
  return {
    [Symbol.dispose]: () => {
      process.off('SIGINT', listener)
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
