/** Where the messages of a chat come from. */
import { createInterface } from 'node:readline/promises'
import { note, onInterrupt } from './terminal.ts'

export interface Messages extends Disposable {
  /**
   * The next line; undefined at the end of the input, or when Ctrl-C means to leave: pressed twice in a terminal, where
   * one that has just stopped an answer counts, else once.
   */
  next(justInterrupted: boolean): Promise<string | undefined>
}

export function readMessages(interactive: boolean): Messages {
  return interactive ? typedMessages() : pipedMessages()
}

/** A new readline for each message: between messages the terminal is as it was, and Ctrl-C a signal again. */
function typedMessages(): Messages {
  let history: string[] = []
  return {
    async next(justInterrupted) {
      const prompt = createInterface({ input: process.stdin, output: process.stderr, history, historySize: 1000 })
      prompt.on('history', (lines) => {
        history = [...lines]
      })
      let leaving = justInterrupted
      const left = Promise.withResolvers<undefined>()
      prompt.on('close', () => {
        left.resolve(undefined)
      })
      prompt.on('SIGINT', () => {
        if (leaving) {
          prompt.close()
          return
        }
        leaving = true
        prompt.write(null, { ctrl: true, name: 'u' })
        note('\n(Ctrl-C once more, Ctrl-D or /exit leaves)')
        prompt.prompt()
      })
      try {
        const line = await Promise.race([prompt.question('> '), left.promise])
        if (line === undefined) note('')
        return line
      } finally {
        prompt.close()
      }
    },
    [Symbol.dispose]() {},
  }
}

function pipedMessages(): Messages {
  const input = createInterface({ input: process.stdin, terminal: false })
  const lines = input[Symbol.asyncIterator]()
  // An input that stays open must not keep the program alive.
  const close = (): void => {
    input.close()
    process.stdin.destroy()
  }
  return {
    async next() {
      using _ = onInterrupt(close)
      const { done, value } = await lines.next()
      return done === true ? undefined : value
    },
    [Symbol.dispose]: close,
  }
}
