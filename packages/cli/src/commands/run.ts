import { text } from 'node:stream/consumers'
import { printAnswer } from '../answer.ts'
import { exitCodes, usageError } from '../errors.ts'
import { loadModel } from '../model.ts'
import type { AnswerOptions } from '../options.ts'
import { generateOptions } from '../options.ts'
import { holdInterrupts } from '../terminal.ts'

export interface RunOptions extends AnswerOptions {
  readonly raw?: boolean
}

/** One prompt, one answer. Without a prompt argument, what comes through stdin is the prompt. */
export async function run(argument: string | undefined, options: RunOptions): Promise<void> {
  if (argument === undefined && process.stdin.isTTY) throw usageError('Say what to answer: facet run "prompt".')
  const prompt = argument ?? (await text(process.stdin))
  if (prompt === '' && options.raw !== true) throw usageError('The prompt is empty. Say what to answer: facet run "prompt".')
  using _ = holdInterrupts()
  await using gemma = await loadModel(options)
  const defaults = generateOptions(options)
  const stream = options.raw === true ? gemma.generate(prompt, defaults) : gemma.chat().send(prompt, defaults)
  const { interrupted } = await printAnswer(stream, options.quiet ?? false)
  if (interrupted) process.exitCode = exitCodes.interrupted
}
