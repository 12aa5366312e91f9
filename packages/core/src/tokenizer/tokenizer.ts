/** Offsets into a JavaScript string (UTF-16 code units): begin included, end not. */
export interface TextRange {
  readonly begin: number
  readonly end: number
}

export interface EncodeOptions {
  /**
   * Parts of the text that users wrote. A control token is not recognised where it would overlap one, so that
   * `<end_of_turn>` stays eleven letters there; everything else is tokenised as if the ranges were not given.
   */
  readonly protect?: readonly TextRange[]
  /** Default true: control strings in the text become control tokens, as in HF. False: the whole text is protected. */
  readonly controls?: boolean
}

export interface DecodeOptions {
  /** HF's `skip_special_tokens`. Default false. Reserved slots (`<unused5>`, `<mask>`) are printed in any case, as HF does. */
  readonly skipControls?: boolean
}

/** Ids of the tokens that Gemma 3's prompts are built of, found in the vocabulary by name. */
export interface ControlTokens {
  readonly bos: number
  readonly eos: number
  readonly pad: number
  readonly unknown: number
  readonly startOfTurn: number
  readonly endOfTurn: number
  /** The three image tokens are undefined where the vocabulary has none. */
  readonly startOfImage: number | undefined
  readonly endOfImage: number | undefined
  readonly imageSoftToken: number | undefined
}

export interface StreamDecoder {
  /** The text that this token completes; '' while a character is incomplete. @throws GemmaError as `decode` does. */
  push(id: number): string
  /** What is left: U+FFFD for an incomplete character. The decoder may then be used again. */
  flush(): string
}

/** Text to ids and back, exactly as HF's Gemma tokenizer does it. */
export interface Tokenizer {
  /** Number of ids: pieces of the vocabulary and added tokens. Not the rows of the embedding table, which may be fewer or more. */
  readonly size: number
  readonly controls: ControlTokens
  /** `<eos>` and `<end_of_turn>`. */
  readonly endIds: ReadonlySet<number>
  /**
   * Adds no `<bos>`. A lone surrogate, which has no UTF-8 form, counts as U+FFFD.
   * @throws GemmaError `invalid-argument` for a range outside the text.
   */
  encode(text: string, options?: EncodeOptions): number[]
  /**
   * A run of byte tokens that is not UTF-8 as a whole gives one U+FFFD a byte, its valid parts included (HF's rule).
   * Ids past the vocabulary (padding rows of the embedding table) have no text.
   * @throws GemmaError `invalid-argument` for an id that is not a whole number from 0 on.
   */
  decode(ids: Iterable<number>, options?: DecodeOptions): string
  /**
   * Decodes token by token. Differs from `decode` only in broken byte sequences: what is valid has been shown by the
   * time that the run turns out broken, so only the broken parts become U+FFFD (the Encoding standard's rule).
   */
  decoder(options?: DecodeOptions): StreamDecoder
  /** Id of a piece as HF spells it: `▁the`, `<0x0A>`, `<end_of_turn>`; runs of spaces as runs of `▁`. */
  idOf(piece: string): number | undefined
  /** @throws GemmaError `invalid-argument` for an id outside the vocabulary, as `bytesOf` does. */
  pieceOf(id: number): string
  /** What the token adds to the text, in UTF-8. A byte token's one byte may be a part of a character. */
  bytesOf(id: number): Uint8Array
  /** True for every id that protected text cannot produce: control tokens and reserved slots. False outside the vocabulary. */
  isControl(id: number): boolean
}
