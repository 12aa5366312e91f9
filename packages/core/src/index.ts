export type { Backend, BackendFactory, Numerics } from './backend.ts'
export { GemmaError, type GemmaErrorCode } from './errors.ts'
export { type GemmaConfig, type GemmaSize, gemmaSizes, type LayerType, type TextConfig, type VisionConfig } from './graph/config.ts'
export { decodeImage, type DecodeOptions } from './image/decode-image.ts'
export type { ImageInput, ImagePixels } from './image/image-input.ts'
export { type Box, panAndScanBoxes, type PanAndScanOptions } from './image/pan-and-scan.ts'
export { countImages } from './image/prepare-image.ts'
export type { SamplingOptions } from './sampling/options.ts'
export { Gemma } from './session/gemma.ts'
export type {
  ChatOptions,
  CompletionOptions,
  ContextUsage,
  DeviceInfo,
  GeneratedToken,
  GenerateOptions,
  GenerationResult,
  GenerationStream,
  LoadOptions,
  LoadProgress,
  MemoryEstimate,
  Session,
  StreamPart,
  Timings,
  TokenLogprob,
  Usage,
  UserContent,
} from './session/types.ts'
export { connectGemma, type GemmaClient, type WorkerLoadOptions } from './session/worker/connect.ts'
export type { BackendTable } from './session/worker/first-available.ts'
export type { EmitterPort, EventTargetPort, MessagePortLike } from './session/worker/port.ts'
export type { WorkerModel } from './session/worker/protocol.ts'
export { type GemmaServer, serveGemma, type ServeOptions } from './session/worker/serve.ts'
export { type ChatMessage, type ChatTemplate, type ContentPart, createChatTemplate, type ImagePart, type TextPart } from './tokenizer/chat-template.ts'
export type { ImagePromptStyle } from './tokenizer/image-prompt.ts'
export type { StreamDecoder, Tokenizer } from './tokenizer/tokenizer.ts'
export type { Checkpoint, GenerationDefaults, TensorInfo } from './weights/checkpoint.ts'
export { type MmprojInput, type ModelInput, openModel } from './weights/open-model.ts'
export type { Folder, Source } from './weights/source.ts'
