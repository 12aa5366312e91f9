import { readJson } from './body.ts'
import { completionFormat } from './completion-format.ts'
import { readCompletionRequest } from './completion-request.ts'
import type { Exchange } from './exchange.ts'
import { respond } from './respond.ts'
import { checkModel, checkText, type Services } from './services.ts'

/** POST /v1/completions */
export async function completions(request: Request, exchange: Exchange, services: Services): Promise<Response> {
  const { gemma, limits, answers } = services
  answers.check()
  const asked = readCompletionRequest(await readJson(request, limits), { vocabSize: gemma.config.text.vocabSize, defaults: services.defaults })
  const { prompt } = asked
  checkModel(asked.model, services)
  checkText(prompt.length, 'prompt', limits)
  let promptIds: readonly number[] | undefined
  return await respond({
    services,
    exchange,
    signal: request.signal,
    wanted: asked,
    param: 'prompt',
    format: () => completionFormat(asked, services.model, promptIds),
    async start(signal) {
      if (asked.returnTokenIds) promptIds = typeof prompt === 'string' ? await gemma.tokenize(prompt, { bos: true }) : prompt
      return { stream: gemma.generate(prompt, { ...asked.options, signal }) }
    },
  })
}
