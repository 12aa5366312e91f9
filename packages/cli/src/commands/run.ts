import { text } from 'node:stream/consumers'
import { printAnswer } from '../answer.ts'
import { exitCodes, usageError } from '../errors.ts'
import type { AnswerOptions } from '../options.ts'
import { generateOptions } from '../options.ts'
import { checkSees, countPlaces, openPictures, withPictures } from '../pictures.ts'
import { openGemma } from '../remote.ts'
import { holdInterrupts } from '../terminal.ts'

export interface RunOptions extends AnswerOptions {
  readonly raw?: boolean
  readonly image?: readonly string[]
}

/** One prompt, one answer. Without a prompt argument, what comes through stdin is the prompt. Pictures are shown before it. */
export async function run(argument: string | undefined, options: RunOptions): Promise<void> {
  if (argument === undefined && process.stdin.isTTY) throw usageError('Say what to answer: facet run "prompt".')
  const prompt = argument ?? (await text(process.stdin))
  if (prompt === '' && options.raw !== true) throw usageError('The prompt is empty. Say what to answer: facet run "prompt".')
  const { image: paths = [] } = options
  if (options.raw === true && paths.length > 0 && countPlaces(prompt) !== paths.length) {
    throw usageError(`With --raw, each picture goes where the prompt has <start_of_image>: it has ${countPlaces(prompt)} of them, and --image was given ${paths.length === 1 ? 'once' : `${paths.length} times`}. Write one for each picture.`)
  }
  const images = (await openPictures(paths, options)).map(({ part }) => part)
  using _ = holdInterrupts()
  await using gemma = await openGemma(options)
  const defaults = generateOptions(options)
  if (images.length > 0) checkSees(gemma)
  const stream = options.raw === true ? gemma.generate(prompt, { ...defaults, images }) : gemma.chat().send(withPictures(images, prompt), defaults)
  const { interrupted } = await printAnswer(stream, options.quiet ?? false)
  if (interrupted) process.exitCode = exitCodes.interrupted
}
