import { type Gemma, GemmaError } from '@facetjs/core'
import { resolveOptions } from '@facetjs/core/session'
import { Hono } from 'hono'
import { cors } from 'hono/cors'
import { methodNotAllowed } from 'hono/method-not-allowed'
import { routePath } from 'hono/route'
import { createAdmission } from './admission.ts'
import { createdNow } from './answer-format.ts'
import { createAnswers } from './answers.ts'
import { createKeyCheck } from './auth.ts'
import { chatCompletions } from './chat-completions.ts'
import { completions } from './completions.ts'
import { ApiError, clientGone, toApiError } from './errors.ts'
import { createExchange, type Exchange } from './exchange.ts'
import { resolveLimits } from './limits.ts'
import { createMetrics } from './metrics.ts'
import type { AppOptions, FacetApp } from './options.ts'
import { createFetchImage, type FetchImage } from './remote-image.ts'
import { checkModel, type Services } from './services.ts'
import { detokenize, tokenize } from './tokenize.ts'

/** What only `serve` and tests say. */
export interface AppInternals {
  /** @throws ApiError 403 for a name that the server does not answer to */
  readonly checkHost?: (headers: Headers) => void
  readonly fetchImage?: FetchImage
}

interface Env {
  Variables: { exchange: Exchange }
}

/** The protocol as a standard fetch handler: for Node, Deno, Bun, and tests. */
export function createApp(gemma: Gemma, options: AppOptions = {}): FacetApp {
  return buildApp(gemma, options, {})
}

export function buildApp(gemma: Gemma, options: AppOptions, { checkHost, fetchImage = createFetchImage() }: AppInternals): FacetApp {
  const { model = gemma.name, apiKeys = [], cors: origins = [], remoteImages = false, defaults = {}, onRequest } = options
  if (model === '') throw new GemmaError('invalid-argument', "The model's name is empty. Give one: { model: 'gemma-3' }.")
  resolveOptions(defaults) // nonsense among them is said now, not to each client
  const limits = resolveLimits(options.limits)
  const answers = createAnswers(gemma, limits)
  const metrics = createMetrics(() => answers.load)
  const services: Services = { gemma, model, defaults, limits, answers, readers: createAdmission(limits), metrics, fetchImage: remoteImages ? fetchImage : undefined }
  const checkKey = createKeyCheck(apiKeys)
  const created = createdNow()
  const card = (): object => modelCard(services, created)

  const app = new Hono<Env>()
  app.use(async (c, next) => {
    const exchange = createExchange({ method: c.req.method, metrics, onRequest })
    c.set('exchange', exchange)
    await next()
    c.header('X-Request-Id', exchange.id)
    const path = routePath(c, -1)
    exchange.handled(path.endsWith('*') ? 'unknown' : path.replace(/\{.*\}$/, ''), c.res.status)
  })
  if (origins.length > 0) {
    const origin = origins.includes('*') ? '*' : [...origins]
    app.use(cors({ origin, allowMethods: ['GET', 'POST'], exposeHeaders: ['Retry-After', 'X-Request-Id'], maxAge: 600 }))
  }
  app.use(methodNotAllowed({ app, onMethodNotAllowed: (c, methods) => tell(new ApiError(405, `${c.req.method} is not for ${c.req.path}. Use ${methods.join(' or ')}.`, { code: 'method_not_allowed', headers: { Allow: methods.join(', ') } })) }))
  app.use(async (c, next) => {
    checkHost?.(c.req.raw.headers)
    if (c.req.path !== '/health') checkKey(c.req.raw.headers)
    await next()
  })

  app.get('/health', () => {
    const status = answers.health
    return Response.json({ status }, { status: status === 'ok' ? 200 : 503, ...(status !== 'ok' && { headers: { 'Retry-After': String(limits.retryAfterSeconds) } }) })
  })
  app.get('/metrics', async () => new Response(await metrics.text(), { headers: { 'Content-Type': metrics.contentType } }))
  app.get('/v1/models', () => Response.json({ object: 'list', data: [card()] }))
  app.get('/v1/models/:id{.+}', (c) => {
    checkModel(c.req.param('id'), services)
    return Response.json(card())
  })
  app.post('/v1/chat/completions', (c) => chatCompletions(c.req.raw, c.var.exchange, services))
  app.post('/v1/completions', (c) => completions(c.req.raw, c.var.exchange, services))
  for (const prefix of ['', '/v1']) {
    app.post(`${prefix}/tokenize`, (c) => tokenize(c.req.raw, services))
    app.post(`${prefix}/detokenize`, (c) => detokenize(c.req.raw, services))
  }
  app.notFound((c) => tell(new ApiError(404, `There is no ${c.req.path.slice(0, 200)} here. The protocol's paths begin with /v1.`, { code: 'not_found' })))
  app.onError((error, c) => {
    const told = c.req.raw.signal.aborted ? clientGone(error) : toApiError(error, limits)
    c.var.exchange.failed(told)
    return tell(told)
  })
  return {
    fetch: (request) => app.fetch(request),
    drain: () => answers.drain(),
    stop: () => answers.stop(),
    get load() {
      return answers.load
    },
  }
}

function tell(error: ApiError): Response {
  return Response.json(error.body, { status: error.status, headers: error.headers })
}

function modelCard({ gemma, model }: Services, created: number): object {
  return { id: model, object: 'model', created, owned_by: 'facet', max_model_len: gemma.contextLength, facet: { config: gemma.config, device: gemma.device } }
}
