export { connect, listModels } from './connect.ts'
export type { RemoteModel } from './model-card.ts'
export type { ConnectOptions } from './options.ts'
export { remoteEngine, type RemoteEngineOptions } from './remote-engine.ts'
