import { GemmaError } from '../errors.ts'
import type { TextConfig } from '../graph/config.ts'
import type { Tokenizer } from '../tokenizer/tokenizer.ts'
import type { Exchange } from './exchange.ts'
import type { ImageKey } from './image-keys.ts'
import type { KvCache, TextModel } from './text-model.ts'
import type { EncodeOptions } from './vision-model.ts'

/** What looking into a session needs of it. */
export interface LookArgs {
  readonly config: TextConfig
  readonly tokenizer: Pick<Tokenizer, 'decode'>
  /** What was said. */
  readonly exchanges: readonly Exchange[]
  readonly endIds: ReadonlySet<number>
  /** The session's own cache, which may be left with less of what was said, or with more. */
  readonly open: () => Promise<{ readonly model: TextModel; readonly cache: KvCache }>
  /** f32 [mmTokensPerImage, hiddenSize] */
  readonly imageRows: (key: ImageKey, options: EncodeOptions) => Promise<Float32Array>
  readonly signal: AbortSignal
}

/** @throws GemmaError `invalid-argument` for a conversation without tokens */
export function checkSaid(ids: readonly number[]): void {
  if (ids.length === 0) throw new GemmaError('invalid-argument', 'Nothing has been said yet. Send a question first, or start the chat with messages.')
}
