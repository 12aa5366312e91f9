import type { Session } from '@facetjs/core/session'
import type { Endpoint } from './endpoint.ts'
import type { ModelCard } from './model-card.ts'
import type { Dialect } from './request.ts'

/** A model at an endpoint: what its sessions need. */
export interface Remote {
  readonly endpoint: Endpoint
  readonly card: ModelCard
  readonly dialect: Dialect
  readonly contextLength: number
  /** Sessions that end when the model does. */
  readonly open: Set<Session>
}
