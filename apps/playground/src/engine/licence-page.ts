import { GemmaError } from '@facetjs/core'

/** The page where a model's terms are accepted; undefined where that is not why it failed. */
export function licencePageOf(error: unknown): string | undefined {
  const url = GemmaError.is(error, 'download-failed') ? error.details['licenceUrl'] : undefined
  return typeof url === 'string' ? url : undefined
}
