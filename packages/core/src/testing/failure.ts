import { GemmaError } from '../errors.ts'

/** For tests: the GemmaError with which `work` fails. Throws where it does not fail, or fails with anything else. */
export async function failure(work: Promise<unknown>): Promise<GemmaError> {
  const error: unknown = await work.then(
    () => new Error('It did not fail.'),
    (reason: unknown) => reason,
  )
  if (!(error instanceof GemmaError)) throw error
  return error
}
