/** The small files of a Hugging Face model folder. */
import type { GenerationDefaults } from './checkpoint.ts'
import { isObject, parseJsonObject } from './json.ts'
import type { JsonObject } from './json.ts'
import { readAll } from './source.ts'
import type { Folder } from './source.ts'

const jsonLimit = 16 * 2 ** 20
const tokenizerLimit = 128 * 2 ** 20

/** Undefined where there is no such file. @throws GemmaError `invalid-model` where it is no JSON object. */
export async function readJsonFile(folder: Folder, fileName: string, signal?: AbortSignal): Promise<JsonObject | undefined> {
  const bytes = await readFile(folder, fileName, jsonLimit, signal)
  return bytes === undefined ? undefined : parseJsonObject(bytes, `${folder.name}: ${fileName}`)
}

export async function readTokenizerJson(folder: Folder): Promise<Uint8Array | undefined> {
  return await readFile(folder, 'tokenizer.json', tokenizerLimit)
}

/** `chat_template.jinja`, else that of `chat_template.json`, else that of `tokenizer_config.json`: transformers' order. */
export async function readChatTemplate(folder: Folder, signal?: AbortSignal): Promise<string | undefined> {
  const jinja = await readFile(folder, 'chat_template.jinja', jsonLimit, signal)
  if (jinja !== undefined) return new TextDecoder().decode(jinja)
  for (const fileName of ['chat_template.json', 'tokenizer_config.json']) {
    const template = (await readJsonFile(folder, fileName, signal))?.['chat_template']
    if (typeof template === 'string') return template
    // Several by name; the one that is meant unless one is asked for is `default`.
    if (Array.isArray(template)) {
      const found: unknown = template.find((entry) => isObject(entry) && entry['name'] === 'default')
      if (isObject(found) && typeof found['template'] === 'string') return found['template']
    }
  }
  return undefined
}

/** `generation_config.json`; where it names no end tokens, those of config.json. */
export async function readGenerationDefaults(folder: Folder, config: JsonObject, signal?: AbortSignal): Promise<GenerationDefaults> {
  const json = (await readJsonFile(folder, 'generation_config.json', signal)) ?? {}
  const { temperature, top_k: topK, top_p: topP } = json
  const ends = idsOf(json['eos_token_id']) ?? idsOf(config['eos_token_id'])
  return {
    ...(typeof temperature === 'number' ? { temperature } : {}),
    ...(typeof topK === 'number' ? { topK } : {}),
    ...(typeof topP === 'number' ? { topP } : {}),
    ...(ends === undefined ? {} : { eosTokenIds: ends }),
  }
}

function idsOf(value: unknown): number[] | undefined {
  const list: unknown[] = Array.isArray(value) ? value : [value]
  return list.every((id): id is number => typeof id === 'number' && Number.isInteger(id) && id >= 0) ? list : undefined
}

async function readFile(folder: Folder, fileName: string, limit: number, signal?: AbortSignal): Promise<Uint8Array | undefined> {
  const source = await folder.open(fileName, signal)
  if (source === undefined) return undefined
  try {
    return await readAll(source, limit, signal)
  } finally {
    await source.close()
  }
}
