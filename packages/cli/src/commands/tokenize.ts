import type { ChatMessage, Checkpoint, Tokenizer } from '@facetjs/core'
import { createChatTemplate } from '@facetjs/core'
import { usageError } from '../errors.ts'
import { arrayOf, isString, isTokenIds, readJsonFile } from '../json-file.ts'
import { openCheckpoint } from '../model.ts'
import type { ModelOptions } from '../options.ts'

export interface TokenizeOptions extends ModelOptions {
  readonly file?: string
  readonly text?: string
  readonly decode?: boolean
  readonly chat?: boolean
}

/** Texts to ids, ids to texts, or conversations to prompts: JSON in, JSON out. No special tokens are added. */
export async function tokenize(options: TokenizeOptions): Promise<void> {
  const { file, text } = options
  if ((file === undefined) === (text === undefined)) throw usageError('Give either --file texts.json or --text "...".')
  const input = file === undefined ? undefined : await readJsonFile(file)
  const checkpoint = await openCheckpoint(options, false)
  try {
    const tokenizer = await checkpoint.tokenizer()
    const output = input === undefined ? tokenizer.encode(text ?? '') : convert(input, checkpoint, tokenizer, options)
    process.stdout.write(`${JSON.stringify(output)}\n`)
  } finally {
    await checkpoint.close()
  }
}

function convert(input: unknown, checkpoint: Checkpoint, tokenizer: Tokenizer, options: TokenizeOptions): readonly unknown[] {
  if (options.decode === true) return arrayOf(input, isTokenIds, 'arrays of token ids').map((ids) => tokenizer.decode(ids))
  if (options.chat === true) return renderChats(arrayOf(input, isChat, 'arrays of messages'), checkpoint, tokenizer)
  return arrayOf(input, isString, 'strings').map((item) => tokenizer.encode(item))
}

function renderChats(chats: readonly ChatMessage[][], checkpoint: Checkpoint, tokenizer: Tokenizer): string[] {
  const { bos, eos } = tokenizer.controls
  const template = createChatTemplate(checkpoint.chatTemplate, { bos: tokenizer.pieceOf(bos), eos: tokenizer.pieceOf(eos) })
  return chats.map((messages) => template.render(messages, { addGenerationPrompt: true }).text)
}

/** The template looks at roles and contents itself. */
function isChat(value: unknown): value is ChatMessage[] {
  return Array.isArray(value) && value.every((message: unknown) => typeof message === 'object' && message !== null && 'role' in message && 'content' in message)
}
