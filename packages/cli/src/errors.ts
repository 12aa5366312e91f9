/** What ends the program: exit codes and the line on stderr. */
import { GemmaError } from '@facetjs/core'
import { CommanderError } from 'commander'

export interface ExitCodes {
  readonly failed: 1
  readonly usage: 2
  /** 128 + SIGINT, as shells have it. */
  readonly interrupted: 130
}

export const exitCodes: ExitCodes = { failed: 1, usage: 2, interrupted: 130 }

const usageCode = 'facet.usage'

/** The arguments contradict each other in a way that the parser cannot see. */
export function usageError(message: string): CommanderError {
  return new CommanderError(exitCodes.usage, usageCode, message)
}

/** Says what went wrong on stderr (with its stack where FACET_DEBUG is set) and gives the exit code. */
export function reportError(error: unknown): number {
  if (error instanceof CommanderError) {
    // The parser has printed its own complaints, help and version already.
    if (error.code === usageCode) process.stderr.write(`facet: ${error.message}\n`)
    return error.exitCode === 0 ? 0 : exitCodes.usage
  }
  // Closing a model that failed can fail too: the first failure is the one to tell. (Node 22 has no SuppressedError to compare with.)
  if (error instanceof Error && error.name === 'SuppressedError' && 'suppressed' in error) return reportError(error.suppressed)
  const message = error instanceof Error ? error.message : String(error)
  process.stderr.write(`facet: ${message}\n`)
  if ((process.env.FACET_DEBUG ?? '') !== '') process.stderr.write(`${describeCauses(error)}\n`)
  else if (!GemmaError.is(error)) process.stderr.write('facet: this is not expected; FACET_DEBUG=1 shows where it happened\n')
  return GemmaError.is(error, 'aborted') ? exitCodes.interrupted : exitCodes.failed
}

function describeCauses(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const own = error.stack ?? error.message
  return error.cause === undefined ? own : `${own}\ncaused by: ${describeCauses(error.cause)}`
}
