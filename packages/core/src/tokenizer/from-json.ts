import { GemmaError } from '../errors.ts'
import { addedTokenKind, controlNames, stockPieceCount } from './control-tokens.ts'
import { addMissingSoftToken, createTokenizer } from './create-tokenizer.ts'
import { mergesByList } from './merges.ts'
import { PieceKind, createPieceWriter } from './vocabulary.ts'
import type { Merges } from './merges.ts'
import type { Tokenizer } from './tokenizer.ts'
import type { PieceList, Vocabulary } from './vocabulary.ts'

type Json = { readonly [key: string]: unknown }

/**
 * From the text of HF's tokenizer.json.
 * @throws GemmaError `unsupported-model` (not Gemma's kind of tokenizer), `invalid-model` (damaged).
 */
export function tokenizerFromJson(json: Uint8Array | string): Tokenizer {
  const file = parse(json)
  const model = object(file['model'], 'model')
  checkKind(file, model)
  return createTokenizer({
    pieces: readPieces(object(model['vocab'], 'model.vocab'), file['added_tokens']),
    merges: (vocabulary) => readMerges(vocabulary, model['merges']),
    spaceRuns: 'merges',
  })
}

function parse(json: Uint8Array | string): Json {
  try {
    const file: unknown = JSON.parse(typeof json === 'string' ? json : new TextDecoder('utf-8', { fatal: true }).decode(json))
    return object(file, 'the file')
  } catch (cause) {
    if (GemmaError.is(cause)) throw cause
    throw new GemmaError('invalid-model', 'tokenizer.json is not JSON. Download it again.', { cause })
  }
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function object(value: unknown, what: string): Json {
  if (isObject(value)) return value
  throw damaged(`${what} is not an object`)
}

function damaged(what: string): GemmaError {
  return new GemmaError('invalid-model', `tokenizer.json is damaged: ${what}. Download it again.`)
}

function unsupported(what: string): GemmaError {
  return new GemmaError('unsupported-model', `tokenizer.json is not Gemma's kind of tokenizer: ${what}. Use a Gemma 3 model.`)
}

/** Gemma's tokenizer is BPE with byte fallback over text in which `▁` replaces spaces, and no other change. */
function checkKind(file: Json, model: Json): void {
  if (model['type'] !== 'BPE') throw unsupported('its model is not BPE')
  if (model['byte_fallback'] !== true) throw unsupported('it has no byte fallback')
  if (model['ignore_merges'] === true) throw unsupported('it ignores merges')
  if (model['dropout']) throw unsupported('it drops merges at random')
  if (model['continuing_subword_prefix'] || model['end_of_word_suffix']) throw unsupported('it marks parts of words')
  if (!replaces(file['normalizer'], ' ', '▁')) throw unsupported('its normalizer is not "replace spaces by ▁"')
  const preTokenizer = file['pre_tokenizer']
  // No space is left for it to find, so it does nothing.
  const splitsAtSpaces = isObject(preTokenizer) && preTokenizer['type'] === 'Split' && matches(preTokenizer['pattern'], ' ')
  if (preTokenizer && !splitsAtSpaces) throw unsupported('its pre-tokenizer splits at more than spaces')
  const decoder = file['decoder']
  const steps: unknown = isObject(decoder) ? decoder['decoders'] : undefined
  const [first, ...rest]: readonly unknown[] = Array.isArray(steps) ? steps : []
  const types = rest.map((step) => (isObject(step) ? step['type'] : undefined))
  if (!replaces(first, '▁', ' ') || types.join() !== 'ByteFallback,Fuse') throw unsupported('its decoder is not "replace ▁ by spaces, join bytes"')
}

function matches(pattern: unknown, text: string): boolean {
  return isObject(pattern) && pattern['String'] === text
}

function replaces(step: unknown, pattern: string, content: string): boolean {
  return isObject(step) && step['type'] === 'Replace' && step['content'] === content && matches(step['pattern'], pattern)
}

interface Piece {
  readonly content: string
  readonly kind: number
}

function readPieces(vocab: Json, addedTokens: unknown): PieceList {
  const pieces: (Piece | undefined)[] = []
  const entries = Object.entries(vocab)
  const added: readonly unknown[] = Array.isArray(addedTokens) ? addedTokens : []
  const maxId = 2 * (entries.length + added.length)
  const put = (content: string, id: unknown, kind: number): void => {
    if (typeof id !== 'number' || !Number.isInteger(id) || id < 0 || id > maxId) throw damaged(`${JSON.stringify(content.slice(0, 40))} has no usable id`)
    pieces[id] = { content, kind }
  }
  for (const [content, id] of entries) put(content, id, /^<0x[0-9A-F]{2}>$/.test(content) ? PieceKind.byte : PieceKind.normal)
  for (const token of added) {
    const { content, id, special } = object(token, 'an added token')
    if (typeof content !== 'string' || content === '') throw damaged('an added token has no content')
    checkMatching(content, object(token, 'an added token'))
    put(content, id, special === true ? PieceKind.special : addedTokenKind(content))
  }
  const softToken = controlNames.imageSoftToken
  const hasSoftToken = Object.hasOwn(vocab, softToken) || pieces[stockPieceCount]?.content === softToken
  const writer = createPieceWriter(pieces.length + 1, pieces.length * 8)
  // By index: the list may have gaps.
  for (let id = 0; id < pieces.length; id++) {
    const piece = pieces[id]
    writer.addText(piece?.content ?? '', piece?.kind ?? PieceKind.unused)
  }
  addMissingSoftToken(writer, hasSoftToken)
  return writer.finish()
}

/** Only what Gemma's added tokens do is supported: they match anywhere, and just themselves. */
function checkMatching(content: string, { lstrip, rstrip, single_word: singleWord, normalized }: Json): void {
  const changedByNormaliser = normalized === true && /[ ▁]/.test(content)
  if (lstrip !== true && rstrip !== true && singleWord !== true && !changedByNormaliser) return
  throw new GemmaError(
    'unsupported-model',
    `The added token ${JSON.stringify(content.slice(0, 40))} takes in what is around it, as none of Gemma's does. Use a Gemma 3 model.`,
  )
}

function readMerges(vocabulary: Vocabulary, list: unknown): Merges {
  if (!Array.isArray(list)) throw damaged('model.merges is not a list')
  const lefts = new Int32Array(list.length)
  const rights = new Int32Array(list.length)
  const products = new Int32Array(list.length)
  const encoder = new TextEncoder()
  const utf8 = new Uint8Array(1024)
  const idOf = (piece: unknown): number => {
    if (typeof piece !== 'string' || piece.length > 256) return -1
    return vocabulary.find(utf8, 0, encoder.encodeInto(piece, utf8).written)
  }
  for (const [merge, pair] of list.entries()) {
    const [left, right, ...rest]: readonly unknown[] = typeof pair === 'string' ? pair.split(' ') : Array.isArray(pair) ? pair : []
    lefts[merge] = idOf(left)
    rights[merge] = idOf(right)
    products[merge] = lefts[merge] < 0 || rights[merge] < 0 ? -1 : vocabulary.findJoined(lefts[merge], rights[merge])
    if (products[merge] < 0 || rest.length > 0) throw damaged(`merge ${merge} names pieces that the vocabulary does not have`)
  }
  return mergesByList(vocabulary, lefts, rights, products)
}
