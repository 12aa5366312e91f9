import { type GeneratedToken, GemmaError } from '../../packages/core/src/index.ts'

/** f32 engines that sum in other orders: logits of size 20 are rounded to 2e-6, grown by six layers; between vLLM and WASM 1.2e-5 was seen. */
export const logprobTolerance = 1e-4

/** What it says; alternatives of the same probability may come in any order. */
export function named({ id, text, alternatives }: GeneratedToken): unknown {
  return { id, text, best: alternatives[0]?.text }
}

/** Between log-probabilities, those of alternatives included. */
export function largestDifference(ours: readonly GeneratedToken[], locals: readonly GeneratedToken[]): number {
  const values = (tokens: readonly GeneratedToken[]): number[] => tokens.flatMap(({ logprob, alternatives }) => [logprob, ...alternatives.map((each) => each.logprob)])
  const found = values(ours)
  return Math.max(...values(locals).map((value, at) => Math.abs(value - found[at])))
}

/** The code of the GemmaError with which `work` fails, at once or later; `no error`; or another error itself. */
export async function codeOf(work: () => Promise<unknown>): Promise<unknown> {
  try {
    await work()
    return 'no error'
  } catch (error) {
    return GemmaError.is(error) ? error.code : error
  }
}
