import type { Gemma, Session, UserContent } from '@facetjs/core'
import { GemmaError } from '@facetjs/core'
import { printAnswer } from '../answer.ts'
import { formatCount } from '../format.ts'
import type { AnswerOptions } from '../options.ts'
import { generateOptions } from '../options.ts'
import type { Picture } from '../pictures.ts'
import { checkSees, describePicture, openPicture, withPictures } from '../pictures.ts'
import { readMessages } from '../prompt.ts'
import { openGemma } from '../remote.ts'
import { holdInterrupts, note } from '../terminal.ts'

const help = `/image FILE   show a picture with the next message; several times for several
/reset        forget the conversation
/context      how full the context is
/exit         leave (Ctrl-D does it too)
Ctrl-C        stop the answer`

/** A conversation: in a terminal with a prompt, else one message a line until the input ends. */
export async function chat(options: AnswerOptions): Promise<void> {
  const interactive = process.stdin.isTTY
  const quiet = options.quiet ?? false
  using _ = holdInterrupts()
  await using gemma = await openGemma(options)
  if (interactive && !quiet) note(`${gemma.name} on ${gemma.device.device}. /help lists the commands.`)
  /** It holds nothing of a conversation that could be lost. */
  const isRemote = gemma.device.backend === 'remote'
  let session = newSession(gemma, options)
  let pictures: readonly Picture[] = []
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
      pictures = []
      note('The conversation is forgotten.')
    } else if (message === '/context') {
      const { used, total } = session.contextUsage
      note(`${formatCount(used)} of ${formatCount(total)} tokens (${((100 * used) / total).toFixed(0)} %)`)
    } else if (message === '/help') {
      note(help)
    } else if (/^\/image(?:\s|$)/.test(message)) {
      pictures = [...pictures, ...(await attach(gemma, message.slice('/image'.length), options, interactive))]
    } else if (/^\/[a-z]+$/.test(message)) {
      note(`There is no ${message}. /help lists the commands.`)
    } else {
      const content = withPictures(pictures.map(({ part }) => part), message)
      pictures = []
      interrupted = await answer(session, content, quiet, (error) => interactive && (error.code !== 'device-lost' || isRemote))
    }
  }
  await session.dispose()
}

/** True where Ctrl-C stopped it. In a terminal most errors end the answer, not the conversation. */
async function answer(session: Session, content: UserContent, quiet: boolean, goesOn: (error: GemmaError) => boolean): Promise<boolean> {
  try {
    return (await printAnswer(session.send(content), quiet)).interrupted
  } catch (error) {
    if (!GemmaError.is(error) || !goesOn(error)) throw error
    note(`facet: ${error.message}`)
    return false
  }
}

/** The picture after /image, with a note of what it is. In a terminal an error is a note; a script is not to go on without its picture. */
async function attach(gemma: Gemma, argument: string, options: AnswerOptions, interactive: boolean): Promise<readonly Picture[]> {
  const path = argument.trim().replace(/^(["'])(.+)\1$/, '$2')
  try {
    checkSees(gemma)
    if (path === '') throw new GemmaError('invalid-argument', 'Say which picture: /image picture.png.')
    const picture = await openPicture(path, options)
    note(`${describePicture(picture, gemma)}. It goes with the next message.`)
    return [picture]
  } catch (error) {
    if (!interactive || !GemmaError.is(error)) throw error
    note(`facet: ${error.message}`)
    return []
  }
}

function newSession(gemma: Gemma, options: AnswerOptions): Session {
  return gemma.chat({ defaults: generateOptions(options) })
}
