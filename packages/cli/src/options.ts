/** Options that several commands share: how they are written, read and handed on. */
import type { GenerateOptions, ImagePromptStyle, Numerics } from '@facetjs/core'
import { gemmaSizes } from '@facetjs/core'
import type { Command } from 'commander'
import { InvalidArgumentError, Option } from 'commander'
import type { BackendName } from './backends.ts'
import { backendNames } from './backends.ts'
import type { PictureOptions } from './pictures.ts'
import type { RemoteOptions } from './remote.ts'

export interface ModelOptions {
  readonly model?: string
  readonly mmproj?: string
}

export interface LoadModelOptions extends ModelOptions {
  readonly backend: BackendName
  readonly threads?: number
  readonly device?: number
  readonly numerics?: Numerics
  readonly context?: number
  readonly imagePrompt?: ImagePromptStyle
  readonly quiet?: boolean
}

export interface SamplingOptions {
  readonly temperature?: number
  readonly topK?: number
  readonly topP?: number
  readonly minP?: number
}

export interface AnswerOptions extends LoadModelOptions, RemoteOptions, SamplingOptions, PictureOptions {
  readonly seed?: number
  readonly maxTokens?: number
}

export function addModelOption(command: Command): Command {
  return addMmprojOption(command.option('-m, --model <model>', 'GGUF file, safetensors file or model folder, https address, or hf:owner/repository[/file] (default: the demo model)'))
}

export function addMmprojOption(command: Command): Command {
  return command.option('--mmproj <path|address>', 'vision part of a GGUF file (default: the only one in its folder)')
}

export function addBackendOptions(command: Command, numerics?: Numerics): Command {
  const numericsOption = new Option('--numerics <kind>', 'exact: f32 throughout; fast: what the device is best at').choices(['exact', 'fast'])
  return command
    .addOption(new Option('--backend <name>', 'what computes').choices(backendNames).default('wasm'))
    .option('--threads <count>', 'compute threads (default: one a processor)', integer(1))
    .option('--device <number>', 'which GPU of those that facet devices lists, for --backend cuda (default: 0)', integer(0))
    .addOption(numerics === undefined ? numericsOption : numericsOption.default(numerics))
}

export function addLoadOptions(command: Command): Command {
  return addBackendOptions(addModelOption(command))
    .option('--context <tokens>', 'tokens that prompt and answer may take together', integer(1))
    .addOption(new Option('--image-prompt <style>', "newlines around a picture: hf merges them with the text's, google does not").choices(['hf', 'google']))
}

export function addSamplingOptions(command: Command): Command {
  return command
    .option('--temperature <number>', '0 takes the likeliest token each time (default: what the model asks for)', decimal(0))
    .option('--top-k <count>', 'sample among the k likeliest tokens; 0: all', integer(0))
    .option('--top-p <number>', 'sample among the likeliest tokens of this total probability', decimal(0, 1))
    .option('--min-p <number>', 'drop tokens less likely than this share of the likeliest', decimal(0, 1))
}

export function addAnswerOptions(command: Command): Command {
  return addSamplingOptions(addRemoteOptions(addLoadOptions(command)))
    .option('--seed <integer>', 'the same seed draws the same answer', integer(0))
    .option('--max-tokens <count>', 'longest answer', integer(1))
    .option('--pan-and-scan', 'show the model parts of long pictures enlarged too; each costs the tokens of another one')
    .option('--show', 'draw the pictures in the terminal')
    .option('-q, --quiet', 'the answer only: no progress, no summary')
}

/** A server computes instead: what says how to compute here makes no sense beside it. */
function addRemoteOptions(command: Command): Command {
  return command
    .addOption(new Option('--remote <url>', 'a server that computes instead of this machine: facet serve, vLLM; --model is then its name there, and the default temperature 0').conflicts(['backend', 'threads', 'device', 'numerics', 'mmproj', 'imagePrompt']))
    .option('--api-key <key>', "the server's key (default: FACET_API_KEY, which other users of this machine do not see)")
    .addOption(new Option('--size <size>', "which Gemma 3 the server has, where its model's name does not say it").choices(Object.keys(gemmaSizes)))
}

/** What was said on the command line; what was not is left to the library and the model. */
export function generateOptions(options: SamplingOptions & Pick<AnswerOptions, 'seed' | 'maxTokens'>): GenerateOptions {
  const { temperature, topK, topP, minP, seed, maxTokens } = options
  return {
    ...(temperature === undefined ? {} : { temperature }),
    ...(topK === undefined ? {} : { topK }),
    ...(topP === undefined ? {} : { topP }),
    ...(minP === undefined ? {} : { minP }),
    ...(seed === undefined ? {} : { seed }),
    ...(maxTokens === undefined ? {} : { maxTokens }),
  }
}

/** For options that may be given several times. */
export function collect(text: string, before: readonly string[] = []): string[] {
  return [...before, text]
}

export function integer(min: number, max: number = Infinity): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < min || value > max) {
      throw new InvalidArgumentError(max === Infinity ? `Give an integer from ${min} up.` : `Give an integer from ${min} to ${max}.`)
    }
    return value
  }
}

export function decimal(min: number, max: number = Infinity): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (text.trim() === '' || !Number.isFinite(value) || value < min || value > max) {
      throw new InvalidArgumentError(max === Infinity ? `Give a number from ${min} up.` : `Give a number from ${min} to ${max}.`)
    }
    return value
  }
}

/** `2,5,7` */
export function tokenIds(text: string): number[] {
  const parts = text.split(',').map((part) => part.trim())
  if (!parts.every((part) => /^\d+$/.test(part) && Number(part) < 2 ** 31)) throw new InvalidArgumentError('Give token ids with commas between them, as in 2,5,7.')
  return parts.map(Number)
}

/** `all`, `last`, or `top:K` as the number K. */
export function logitsKind(text: string): 'all' | 'last' | number {
  if (text === 'all' || text === 'last') return text
  const k = /^top:(\d{1,7})$/.exec(text)?.[1]
  if (k === undefined || Number(k) < 1) throw new InvalidArgumentError('Give all, last or top:K, as in top:20.')
  return Number(k)
}
