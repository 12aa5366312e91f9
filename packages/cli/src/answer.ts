import type { GenerationResult, GenerationStream, StreamPart } from '@facetjs/core'
import { formatSummary } from './format.ts'
import type { Progress } from './progress.ts'
import { createProgress } from './progress.ts'
import { note, onInterrupt, withoutControls } from './terminal.ts'

export interface Answer {
  readonly result: GenerationResult
  /** By Ctrl-C: what was said until then has been printed. */
  readonly interrupted: boolean
}

/** Prints an answer as it comes, ends it with a newline and says how fast it was. Ctrl-C stops it. */
export async function printAnswer(stream: GenerationStream, quiet: boolean): Promise<Answer> {
  let interrupted = false
  let endsLine = false
  using _ = onInterrupt(() => {
    interrupted = true
    stream.stop()
  })
  using progress = createProgress(quiet)
  for await (const part of stream) {
    if (part.type === 'prefill') progress.show('reading the prompt', part.done, part.total, 'tokens')
    if (part.type === 'image') showImage(progress, part)
    if (part.type === 'text' && part.text !== '') {
      progress.clear()
      process.stdout.write(process.stdout.isTTY ? withoutControls(part.text) : part.text)
      endsLine = part.text.endsWith('\n')
    }
  }
  progress.clear()
  const result = await stream.result
  if (!endsLine) process.stdout.write('\n')
  if (!quiet) note(formatSummary(result))
  return { result, interrupted }
}

function showImage(progress: Progress, { phase, done, total }: Extract<StreamPart, { readonly type: 'image' }>): void {
  if (phase === 'load') progress.show('loading the vision tower', done, total, 'bytes')
  else progress.show('looking at the picture', done, total, 'steps')
}
