import type { GemmaConfig } from '../graph/config.ts'
import type { ChatMessage } from '../tokenizer/chat-template.ts'
import { checkIdle, refuseImages, userContent } from './chat-input.ts'
import { createGenerationStream, type Producer } from './generation-stream.ts'
import type { GenerationStream, UserContent } from './types.ts'

/** What `send` is in any session, wherever its model runs: a question is checked at once, and there is one answer at a time. */
export interface Answering {
  /** The answer that is being given. */
  readonly running: GenerationStream | undefined
  /** @throws GemmaError `invalid-argument` while another answer is running, `unsupported` for pictures that the model cannot read */
  send(content: UserContent, answer: (user: ChatMessage, ...producer: Parameters<Producer>) => ReturnType<Producer>): GenerationStream
}

export function createAnswering(config: GemmaConfig): Answering {
  let running: GenerationStream | undefined
  return {
    get running() {
      return running
    },
    send(content, answer) {
      checkIdle(running)
      const user: ChatMessage = { role: 'user', content: userContent(content) }
      refuseImages([user], config)
      running = createGenerationStream(async (emit, stopped) => {
        try {
          return await answer(user, emit, stopped)
        } finally {
          running = undefined
        }
      })
      return running
    },
  }
}
