export type { Backend, BackendFactory, Numerics } from './backend.ts'
export { GemmaError, type GemmaErrorCode } from './errors.ts'
export { type GemmaConfig, type GemmaSize, gemmaSizes, type LayerType, type TextConfig, type VisionConfig } from './graph/config.ts'
export type { DownloadProgress } from './hub/download-files.ts'
export type { FileStore, PartFile } from './hub/file-store.ts'
export type { HubOptions } from './hub/hub-options.ts'
export {
  availability,
  type Availability,
  type DownloadOptions,
  type FileAvailability,
  type ModelOptions,
  type ModelStore,
  type ModelStoreOptions,
  openModelStore,
} from './hub/model-store.ts'
export type { StoreOptions } from './hub/open-address.ts'
export type { Checksum } from './hub/repository.ts'
export type { StoredFile, StoredModel } from './hub/stored-models.ts'
export type { VerifiedFile } from './hub/verify-files.ts'
export { decodeImage, type DecodeOptions } from './image/decode-image.ts'
export type { ImageInput, ImagePixels } from './image/image-input.ts'
export { type Box, panAndScanBoxes, type PanAndScanOptions } from './image/pan-and-scan.ts'
export { countImages } from './image/prepare-image.ts'
export type { SamplingOptions } from './sampling/options.ts'
export { Gemma } from './session/gemma.ts'
export type {
  ContextToken,
  ContextView,
  Inspection,
  InspectOptions,
  LayerAttention,
  LayerCache,
  ModelProfile,
  ProfileOptions,
  ScoreOptions,
  ScoreProgress,
  StepCost,
  TokenScore,
} from './session/inspection-types.ts'
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
export { toChatMessages, toSavedConversation } from './store/conversation.ts'
export type { CustomEngine, Engine, EngineHooks, EngineOptions, LocalEngine, LocalEngineOptions, Refusal, WorkerEngineOptions } from './store/engine.ts'
export { createEngineRegistry, type EngineLease, type EngineRegistry, type EngineRegistryOptions, type EngineState } from './store/engine-registry.ts'
export { createGemmaStore } from './store/gemma-store.ts'
export type { LiveAnswer } from './store/live-answer.ts'
export { localEngine } from './store/local-engine.ts'
export { isSavedConversation, type SavedConversation, type SavedMessage } from './store/saved-conversation.ts'
export type { AnswerProgress, ConversationSettings, GemmaActions, GemmaMessage, GemmaSnapshot, GemmaStatus, GemmaStore, GemmaStoreOptions } from './store/types.ts'
export { type ChatMessage, type ChatTemplate, type ContentPart, createChatTemplate, type ImagePart, type TextPart } from './tokenizer/chat-template.ts'
export type { ImagePromptStyle } from './tokenizer/image-prompt.ts'
export type { StreamDecoder, Tokenizer } from './tokenizer/tokenizer.ts'
export type { Checkpoint, GenerationDefaults, TensorInfo } from './weights/checkpoint.ts'
export { type MmprojInput, type ModelInput, openModel } from './weights/open-model.ts'
export type { Folder, Source } from './weights/source.ts'
