import type { Gemma, GenerateOptions } from '@facetjs/core'
import type { Admission } from './admission.ts'
import type { Answers } from './answers.ts'
import { ApiError } from './errors.ts'
import type { Limits } from './limits.ts'
import type { Metrics } from './metrics.ts'
import type { FetchImage } from './remote-image.ts'

/** What every route has at hand. */
export interface Services {
  readonly gemma: Gemma
  /** Its name in the protocol. */
  readonly model: string
  readonly defaults: GenerateOptions
  readonly limits: Limits
  readonly answers: Answers
  /** Who may have the images of a conversation read that is not answered. */
  readonly readers: Admission
  readonly metrics: Metrics
  readonly fetchImage: FetchImage | undefined
}

/** @throws ApiError 404 for another model than there is */
export function checkModel(asked: string | undefined, { model }: Services): void {
  if (asked === undefined || asked === model) return
  throw new ApiError(404, `The model '${asked.slice(0, 200)}' does not exist. There is '${model}'.`, { code: 'model_not_found', param: 'model' })
}

/** @throws ApiError 400: reading a text for its tokens holds up everybody */
export function checkText(characters: number, param: string, { textCharacters }: Limits): void {
  if (characters <= textCharacters) return
  throw new ApiError(400, `Invalid value for '${param}': ${characters} characters are more than the ${textCharacters} that this server reads. Shorten the text.`, { code: 'string_above_max_length', param })
}
