import { GemmaError } from '../errors.ts'
import { PieceKind } from './vocabulary.ts'
import type { ControlTokens } from './tokenizer.ts'

/** Names of Gemma 3's control tokens in every vocabulary. */
export const controlNames: Readonly<Record<keyof ControlTokens, string>> = {
  bos: '<bos>',
  eos: '<eos>',
  pad: '<pad>',
  unknown: '<unk>',
  startOfTurn: '<start_of_turn>',
  endOfTurn: '<end_of_turn>',
  startOfImage: '<start_of_image>',
  endOfImage: '<end_of_image>',
  imageSoftToken: '<image_soft_token>',
}

const names: ReadonlySet<string> = new Set(Object.values(controlNames))

const markup =
  'a b bbox blockquote body caption code div em footer h1 h2 h3 h4 h5 h6 html i iframe img li s span strong sub sup table tbody td tfoot th thead tr u ul'
const markupTags: ReadonlySet<string> = new Set(markup.split(' ').flatMap((name) => [`<${name}>`, `</${name}>`]))

/**
 * What an added token is, if its file does not call it special: names in angle or square brackets control the model
 * (`<unused5>`, `<mask>`, `[multimodal]`, a fine-tune's `<tool_call>`), whatever the file's type says, but for HTML tags;
 * everything else (runs of newlines, words that a fine-tune added) is text.
 */
export function addedTokenKind(content: string): number {
  if (names.has(content)) return PieceKind.special
  return /^(?:<.*>|\[.*\])$/s.test(content) && !markupTags.has(content) ? PieceKind.control : PieceKind.text
}

/** Gemma's vocabulary has 262,144 pieces; the soft token is the id behind them, also where a file leaves it out. */
export const stockPieceCount = 262_144

/** @param idOf id by name, or else what the file's metadata say */
export function findControlTokens(idOf: (name: keyof ControlTokens) => number | undefined): ControlTokens {
  const required = (name: keyof ControlTokens): number => {
    const id = idOf(name)
    if (id === undefined) {
      throw new GemmaError('unsupported-model', `The vocabulary has no ${controlNames[name]}: it is not Gemma 3's. Use a Gemma 3 model, converted with its own tokenizer.`)
    }
    return id
  }
  return {
    bos: required('bos'),
    eos: required('eos'),
    pad: required('pad'),
    unknown: required('unknown'),
    startOfTurn: required('startOfTurn'),
    endOfTurn: required('endOfTurn'),
    startOfImage: idOf('startOfImage'),
    endOfImage: idOf('endOfImage'),
    imageSoftToken: idOf('imageSoftToken'),
  }
}
