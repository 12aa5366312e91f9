/** The command line: which commands and options there are. What they do is in commands/. */
import { Command, Option } from 'commander'
import packageJson from '../package.json' with { type: 'json' }
import { chat } from './commands/chat.ts'
import type { DescribeOptions } from './commands/describe.ts'
import { describe } from './commands/describe.ts'
import type { DevicesOptions } from './commands/devices.ts'
import { listDevices } from './commands/devices.ts'
import type { ListOptions, VerifyOptions } from './commands/models.ts'
import { deleteModel, listModels, verifyModel } from './commands/models.ts'
import type { PullOptions } from './commands/pull.ts'
import { pull } from './commands/pull.ts'
import type { RunOptions } from './commands/run.ts'
import { run } from './commands/run.ts'
import type { ServeOptions } from './commands/serve.ts'
import { serve } from './commands/serve.ts'
import type { TokenizeOptions } from './commands/tokenize.ts'
import { tokenize } from './commands/tokenize.ts'
import type { TraceOptions } from './commands/trace.ts'
import { trace } from './commands/trace.ts'
import { reportError } from './errors.ts'
import type { AnswerOptions } from './options.ts'
import { addAnswerOptions, addBackendOptions, addLoadOptions, addMmprojOption, addModelOption, addSamplingOptions, collect, integer, logitsKind, tokenIds } from './options.ts'
import { endQuietlyWithReader } from './terminal.ts'

export interface Commands {
  run(prompt: string | undefined, options: RunOptions): Promise<void>
  chat(options: AnswerOptions): Promise<void>
  serve(options: ServeOptions): Promise<void>
  describe(target: string, options: DescribeOptions): Promise<void>
  tokenize(options: TokenizeOptions): Promise<void>
  trace(options: TraceOptions): Promise<void>
  pull(model: string, options: PullOptions): Promise<void>
  listModels(options: ListOptions): Promise<void>
  deleteModel(model: string): Promise<void>
  verifyModel(model: string, options: VerifyOptions): Promise<void>
  listDevices(options: DevicesOptions): Promise<void>
}

/** The parser; it throws a CommanderError instead of ending the process. */
export function createProgram(commands: Commands): Command {
  const program = new Command('facet')
    .description('Gemma 3 in the terminal')
    .version(packageJson.version)
    .exitOverride()
    .showHelpAfterError('(facet --help, or facet COMMAND --help, lists what there is)')

  addAnswerOptions(program.command('run').argument('[prompt]', 'what to answer (default: what comes through stdin)'))
    .description('answer one prompt')
    .option('--image <file>', 'a picture to show before the prompt; may be given several times', collect)
    .option('--raw', 'go on from plain text, without a chat template; <start_of_image> is the place of a picture')
    .action((prompt: string | undefined, options: RunOptions) => commands.run(prompt, options))

  addAnswerOptions(program.command('chat'))
    .description('talk to a model')
    .action((options: AnswerOptions) => commands.chat(options))

  addSamplingOptions(addLoadOptions(program.command('serve')))
    .description('a model behind the OpenAI protocol, until Ctrl-C; the sampling options are for requests that say nothing of their own')
    .option('--host <address>', 'where to listen', '127.0.0.1')
    .option('--port <number>', '0: any that is free', integer(0, 65535), 8000)
    .option('--api-key <key>', 'who has one is let in; may be given several times (default: FACET_API_KEYS, with commas, which other users of this machine do not see)', collect)
    .option('--cors <origin>', 'pages that may ask, as https://app.example; * for all; may be given several times', collect)
    .option('--remote-images', 'fetch pictures that requests name by an address, from public networks only')
    .option('--parallel <count>', 'answers at once', integer(1), 4)
    .option('--queue <count>', 'requests that may wait', integer(0), 64)
    .option('--keep <count>', 'conversations whose caches are kept for their next question (default: as --parallel)', integer(0))
    .option('--max-body-mb <count>', 'largest request, in MiB', integer(1))
    .option('--name <name>', "the model's name in the protocol (default: its own)")
    .option('-q, --quiet', 'no progress, no line for each request')
    .action((options: ServeOptions) => commands.serve(options))

  addMmprojOption(program.command('describe').argument('<model>', '270m, 1b, 4b, 12b, 27b, or a path, https address or hf:owner/repository'))
    .description('the module tree, parameters, bytes per token and memory')
    .option('--context <tokens>', 'context that the memory is for', integer(1))
    .option('--json', 'for programs')
    .action((target: string, options: DescribeOptions) => commands.describe(target, options))

  addModelOption(program.command('tokenize'))
    .description('texts to token ids and back, as JSON')
    .option('-f, --file <json>', 'an array of texts (--decode: of id arrays; --chat: of message arrays)')
    .addOption(new Option('-t, --text <text>', 'one text').conflicts(['decode', 'chat']))
    .addOption(new Option('--decode', 'ids to texts').conflicts('chat'))
    .option('--chat', 'conversations to prompts')
    .action((options: TokenizeOptions) => commands.tokenize(options))

  addBackendOptions(addModelOption(program.command('trace')), 'exact')
    .description('what a model computes, layer by layer, as a safetensors file')
    .option('--ids <ids>', 'token ids, as in 2,5,7', tokenIds)
    .option('--ids-file <json>', 'an array of token ids')
    .option('--pixels <safetensors>', 'pictures for the image tokens, ready for the tower: pixel_values F32 [n, 3, size, size]')
    .option('--greedy <count>', 'go on by this many likeliest tokens', integer(0))
    .addOption(new Option('--logits <rows>', 'all, last, or top:K for the K best of each row').argParser(logitsKind).default('all'))
    .option('--hidden', 'the residual stream at each layer boundary too')
    .option('-q, --quiet', 'no progress')
    .requiredOption('-o, --out <safetensors>', 'where to write')
    .action((options: TraceOptions) => commands.trace(options))

  program
    .command('pull')
    .argument('<model>', 'hf:owner/repository[@revision][/file], or the https address of a .gguf file')
    .description('download a model, or go on with a download; HF_TOKEN is for gated models')
    .option('--no-mmproj', 'leave the vision part of a GGUF model out')
    .option('--refresh', 'ask for its newest version')
    .option('-q, --quiet', 'no progress')
    .action((model: string, options: PullOptions) => commands.pull(model, options))

  const models = program.command('models').description('what has been downloaded')
  models
    .command('list', { isDefault: true })
    .description('models and their files, the last used first')
    .option('--json', 'for programs')
    .action((options: ListOptions) => commands.listModels(options))
  models
    .command('delete')
    .argument('<model>', 'hf:owner/repository, or a file or commit of it as list names them')
    .description('take a model off the disk')
    .action((model: string) => commands.deleteModel(model))
  models
    .command('verify')
    .argument('<model>', 'hf:owner/repository, or a file or commit of it as list names them')
    .description('read every byte again and compare')
    .option('--repair', 'download damaged parts again')
    .option('-q, --quiet', 'no progress')
    .action((model: string, options: VerifyOptions) => commands.verifyModel(model, options))

  program
    .command('devices')
    .description('the GPUs for --backend cuda, or what is missing for it')
    .option('--json', 'for programs')
    .action((options: DevicesOptions) => commands.listDevices(options))

  return program
}

/** Runs one command line (`process.argv`); resolves with the exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  endQuietlyWithReader()
  try {
    await createProgram({ run, chat, serve, describe, tokenize, trace, pull, listModels, deleteModel, verifyModel, listDevices }).parseAsync(argv)
    return 0
  } catch (error) {
    return reportError(error)
  }
}
