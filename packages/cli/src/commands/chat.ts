import type { Gemma, Session } from '@facetjs/core'
import { GemmaError } from '@facetjs/core'
import { printAnswer } from '../answer.ts'
import { formatCount } from '../format.ts'
import { loadModel } from '../model.ts'
import type { AnswerOptions } from '../options.ts'
import { generateOptions } from '../options.ts'
import { readMessages } from '../prompt.ts'
import { holdInterrupts, note } from '../terminal.ts'

const help = `/reset     forget the conversation
/context   how full the context is
/exit      leave (Ctrl-D does it too)
Ctrl-C     stop the answer`

/** A conversation: in a terminal with a prompt, else one message a line until the input ends. */
export async function chat(options: AnswerOptions): Promise<void> {
  const interactive = process.stdin.isTTY
  const quiet = options.quiet ?? false
  using _ = holdInterrupts()
  await using gemma = await loadModel(options)
  if (interactive && !quiet) note(`${gemma.name} on ${gemma.device.device}. /help lists the commands.`)
  let session = newSession(gemma, options)
  using messages = readMessages(interactive)
  // Ctrl-C during an answer counts as the first of the two that leave.
  let interrupted = false
  for (;;) {
    const line = await messages.next(interrupted)
    if (line === undefined) break
    interrupted = false
    const message = line.trim()
    if (message === '') continue
    if (message === '/exit') break
    if (message === '/reset') {
      await session.dispose()
      session = newSession(gemma, options)
      note('The conversation is forgotten.')
    } else if (message === '/context') {
      const { used, total } = session.contextUsage
      note(`${formatCount(used)} of ${formatCount(total)} tokens (${((100 * used) / total).toFixed(0)} %)`)
    } else if (message === '/help') {
      note(help)
    } else if (/^\/[a-z]+$/.test(message)) {
      note(`There is no ${message}. /help lists the commands.`)
    } else {
      interrupted = await answer(session, message, quiet, interactive)
    }
  }
  await session.dispose()
}

/** True where Ctrl-C stopped it. In a terminal an error ends the answer, not the conversation. */
async function answer(session: Session, message: string, quiet: boolean, interactive: boolean): Promise<boolean> {
  try {
    return (await printAnswer(session.send(message), quiet)).interrupted
  } catch (error) {
    if (!interactive || !GemmaError.is(error) || error.code === 'device-lost') throw error
    note(`facet: ${error.message}`)
    return false
  }
}

function newSession(gemma: Gemma, options: AnswerOptions): Session {
  return gemma.chat({ defaults: generateOptions(options) })
}
