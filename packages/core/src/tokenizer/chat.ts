import type { ImageInput } from '../image/image-input.ts'
import type { PanAndScanOptions } from '../image/pan-and-scan.ts'
import type { TextRange } from './tokenizer.ts'

export interface TextPart {
  readonly type: 'text'
  readonly text: string
}

export interface ImagePart {
  readonly type: 'image'
  readonly image: ImageInput
  /** Also show the model enlarged parts of a long or wide picture, each at the cost of another image's tokens. Default false, as in HF. */
  readonly panAndScan?: boolean | PanAndScanOptions
}

export type ContentPart = TextPart | ImagePart

export interface ChatMessage {
  /** `system` (first only), `user`, and `assistant` or `model`; a model's own template may know others. */
  readonly role: string
  readonly content: string | readonly ContentPart[]
}

export interface RenderedPrompt {
  /** With `<bos>` where the template writes one: encode it as it is. An image is a `<start_of_image>` outside `protect`. */
  readonly text: string
  /** What the messages say: give it to `encode`, so that nothing in there becomes a control token. Sorted; none touches another. */
  readonly protect: readonly TextRange[]
}

export interface RenderOptions {
  /** End with the beginning of the model's turn. */
  readonly addGenerationPrompt: boolean
}

export interface ChatTemplate {
  /** @throws GemmaError `invalid-chat` for a conversation that the template does not take. */
  render(messages: readonly ChatMessage[], options: RenderOptions): RenderedPrompt
}
