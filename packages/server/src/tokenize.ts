import { z } from 'zod'
import { readJson } from './body.ts'
import { ApiError, toApiError } from './errors.ts'
import { flag, list, only, parseFields } from './fields.ts'
import { readMessages } from './images.ts'
import { checkOrder, messagesField, textLength } from './messages.ts'
import { checkModel, checkText, type Services } from './services.ts'

const model = z.string({ error: 'a string: the id that GET /v1/models shows' }).optional()

const tokenizeSchema = z.strictObject({
  model,
  prompt: z.string({ error: 'a string' }).optional(),
  messages: messagesField.optional(),
  add_special_tokens: flag('whether a <bos> is put before a prompt'),
  add_generation_prompt: only([true], 'a conversation is read as a question'),
  continue_final_message: only([false], 'a conversation is read as a question'),
  return_token_strs: only([false], 'ask POST /detokenize for the text of tokens'),
})

const detokenizeSchema = z.strictObject({ model, tokens: list(z.int({ error: 'a token id' }).min(0, { error: 'a token id' }), { error: 'a list of token ids' }) })

/** POST /tokenize: of a text, or of a conversation with its template and its images. */
export async function tokenize(request: Request, services: Services): Promise<Response> {
  const { gemma, limits, readers, fetchImage } = services
  const asked = parseFields(tokenizeSchema, await readJson(request, limits))
  checkModel(asked.model, services)
  const { prompt, messages, add_special_tokens: bos = true } = asked
  if ((prompt === undefined) === (messages === undefined)) throw new ApiError(400, "Give either 'prompt' or 'messages'.", { code: prompt === undefined ? 'missing_required_parameter' : 'invalid_value', param: 'prompt' })
  try {
    const tokens = prompt !== undefined ? await tokensOfText(prompt) : await tokensOfMessages()
    return Response.json({ count: tokens.length, max_model_len: gemma.contextLength, tokens, token_strs: null })
  } catch (error) {
    throw toApiError(error, { param: 'messages' })
  }

  async function tokensOfText(text: string): Promise<readonly number[]> {
    checkText(text.length, 'prompt', limits)
    return await gemma.tokenize(text, { bos })
  }
  async function tokensOfMessages(): Promise<readonly number[]> {
    const said = messages ?? []
    checkOrder(said)
    checkText(textLength(said), 'messages', limits)
    const read = readMessages(said, { limits, fetchImage, panAndScan: false })
    const release = await readers.enter(request.signal)
    try {
      return await gemma.tokenize(await read.fetched(request.signal))
    } finally {
      release()
    }
  }
}

/** POST /detokenize */
export async function detokenize(request: Request, services: Services): Promise<Response> {
  const { gemma, limits } = services
  const asked = parseFields(detokenizeSchema, await readJson(request, limits))
  checkModel(asked.model, services)
  checkText(asked.tokens.length, 'tokens', limits)
  try {
    return Response.json({ prompt: await gemma.detokenize(asked.tokens) })
  } catch (error) {
    throw toApiError(error, { param: 'tokens' })
  }
}
