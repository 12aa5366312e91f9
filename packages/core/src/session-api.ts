/** For whoever gives `Gemma` and `Session` another way than by running the model here: what is asked and said is checked and streamed as it is elsewhere. */
export { GemmaError, type GemmaErrorCode } from './errors.ts'
export { isImageInput } from './image/image-input.ts'
export { checkIdle, imageParts, initialMessages, refuseImages, userContent } from './session/chat-input.ts'
export { resolveOptions, unbegun } from './session/generate.ts'
export { createGenerationStream, type Producer } from './session/generation-stream.ts'
export { anyOf, checkSignal, untilAborted } from './session/signals.ts'
export type * from './session/types.ts'
