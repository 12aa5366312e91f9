import { type GemmaConfig, type GemmaSize, gemmaSizes } from '@facetjs/core'
import { type DeviceInfo, GemmaError } from '@facetjs/core/session'
import type { Endpoint } from './endpoint.ts'
import { tidy, unavailable } from './errors.ts'
import { isRecord, type Json } from './json.ts'
import type { ConnectOptions } from './options.ts'

/** What an endpoint serves, as it says. */
export interface ModelCard {
  readonly id: string
  /** `vllm`, `facet`, or another name. */
  readonly ownedBy: string
  readonly maxModelLen: number | undefined
  readonly config: GemmaConfig
  readonly device: DeviceInfo
}

/** @throws GemmaError `backend-unavailable`, `invalid-model` where it has no such model, `invalid-argument` where it is to be named or described */
export async function findModel(endpoint: Endpoint, { model, config }: Pick<ConnectOptions, 'model' | 'config'>, signal?: AbortSignal): Promise<ModelCard> {
  const cards = cardsOf(await endpoint.ask('/v1/models', { signal }), endpoint)
  const names = tidy(endpoint.redact(cards.slice(0, 20).map(({ id }) => id).join(', ')))
  const [card] = model === undefined ? cards : cards.filter(({ id }) => id === model)
  if (card === undefined) throw new GemmaError('invalid-model', model === undefined ? `${endpoint.host} serves no model. Start it with one.` : `${endpoint.host} does not serve ${model}. Give one of: ${names}.`)
  if (model === undefined && cards.length > 1) throw new GemmaError('invalid-argument', `${endpoint.host} serves several models. Pass one of them as model: ${names}.`)
  return { ...card, config: configOf(card, config), device: deviceOf(card, endpoint) }
}

/** One of those that an endpoint serves. */
export interface RemoteModel {
  /** What `connect` takes as `model`. */
  readonly id: string
  /** `vllm`, `facet`, or another name. */
  readonly ownedBy: string
  /** Undefined where neither the endpoint nor the name says which Gemma 3 it is: `connect` has to be told. */
  readonly config: GemmaConfig | undefined
}

/** @throws GemmaError `backend-unavailable` */
export async function readModels(endpoint: Endpoint, signal?: AbortSignal): Promise<readonly RemoteModel[]> {
  return cardsOf(await endpoint.ask('/v1/models', { signal }), endpoint).map((card) => ({ id: card.id, ownedBy: card.ownedBy, config: toldConfig(card) }))
}

interface Card {
  readonly id: string
  readonly root: string
  readonly ownedBy: string
  readonly maxModelLen: number | undefined
  readonly facet: Json
}

function cardsOf(answer: unknown, { host, redact }: Endpoint): Card[] {
  if (!isRecord(answer) || !Array.isArray(answer['data'])) throw unavailable(`${host} answers /v1/models with what is no list of models. Check that baseUrl leads to an OpenAI-compatible endpoint.`)
  return answer['data'].filter(isRecord).flatMap((card) => {
    const { id, root, owned_by: ownedBy, max_model_len: maxModelLen, facet } = card
    if (typeof id !== 'string' || id === '' || /\p{Cc}/u.test(id)) return [] // control characters: terminals show names
    const owner = typeof ownedBy === 'string' ? tidy(redact(ownedBy)).slice(0, 100) : ''
    return [{
      id,
      root: typeof root === 'string' ? root : '',
      ownedBy: owner === '' ? 'somebody' : owner,
      maxModelLen: Number.isSafeInteger(maxModelLen) && Number(maxModelLen) > 1 ? Number(maxModelLen) : undefined,
      facet: isRecord(facet) ? facet : {},
    }]
  })
}

function configOf(card: Card, given: GemmaConfig | GemmaSize | undefined): GemmaConfig {
  if (typeof given === 'object') return given
  const { id } = card
  const config = given === undefined ? toldConfig(card) : gemmaSizes[given]
  if (isConfig(config)) return config
  throw new GemmaError('invalid-argument', `Which Gemma 3 ${id} is does not show${given === undefined ? '' : ` from config ${JSON.stringify(given)}`}. Pass its size, for example config: '4b', or its config.`)
}

function toldConfig({ id, root, facet }: Card): GemmaConfig | undefined {
  const told = facet['config']
  if (isConfig(told)) return told
  const size = sizeIn(id) ?? sizeIn(root)
  return size && gemmaSizes[size]
}

/** `google/gemma-3-4b-it`, `gemma3:27b`. */
function sizeIn(name: string): GemmaSize | undefined {
  const found = /gemma[-_]?3[-_:](270m|1b|4b|12b|27b)(?![a-z0-9])/i.exec(name)?.[1].toLowerCase()
  return sizes.find((size) => size === found)
}

const sizes: readonly GemmaSize[] = ['270m', '1b', '4b', '12b', '27b']

/** Numbers and names where a config has them. */
function isConfig(value: unknown): value is GemmaConfig {
  const { text, vision } = gemmaSizes['4b']
  return isRecord(value) && isLike(value['text'], { ...text }) && (value['vision'] === undefined || isLike(value['vision'], { ...vision }))
}

function isLike(value: unknown, example: Json): boolean {
  return isRecord(value) && Object.entries(example).every(([name, field]) => typeof value[name] === typeof field && Array.isArray(value[name]) === Array.isArray(field))
}

function deviceOf({ ownedBy, facet }: Card, { host }: Endpoint): DeviceInfo {
  const device = isRecord(facet['device']) ? facet['device'] : {}
  return { backend: 'remote', device: `${ownedBy} at ${host}`, numerics: device['numerics'] === 'exact' ? 'exact' : 'fast' }
}
