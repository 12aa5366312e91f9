import { readFileSync } from 'node:fs'
import { type BackendFactory, Gemma, openModel } from '../../packages/core/src/index.ts'
import { readSafetensors, trace } from '../../packages/core/src/inspect.ts'
import { checkCase, compareRows, conformanceCases, type Oracle, readHfFixture, type RowAgreement, tensorDifferences } from '../../packages/core/src/testing/index.ts'
import type { Subject } from './subjects.ts'

const fixtures = new URL('../../packages/core/fixtures/', import.meta.url)
const demoModel = new URL('../../packages/demo-model/model/demo-q8_0.gguf', import.meta.url)

/** HF's random checkpoints: text, and two with pictures. */
export const hfFixtures = ['text-1b-like', 'text-4b-like', 'text-27b-like', 'mm-two-images', 'mm-three-images'] as const

export interface KindResult {
  readonly cases: number
  readonly failed: number
  readonly worstNmse: number
  readonly worstCase: string
}

export interface Measurement {
  /** YYYY-MM-DD */
  readonly date: string
  readonly device: string
  /** By step kind, and `model` and `lifecycle`. */
  readonly kinds: Readonly<Record<string, KindResult>>
  readonly problems: readonly string[]
  /** Largest |a − b| over hidden states and logits, by fixture; ∞ is null in JSON. Only of `exact`. */
  readonly hf: Readonly<Record<string, number | null>>
  /** Demo conversations about pictures that are answered as HF answers, of so many. */
  readonly pictures: { readonly agree: number; readonly of: number }
  /** The real 270M, teacher-forced on HF's greedy continuations: prompts in which each of HF's tokens is the best one. */
  readonly prompts?: { readonly agree: number; readonly of: number; readonly tokens: number }
  readonly rows?: RowAgreement
}

export interface MeasureOptions {
  readonly oracle: Oracle
  readonly pictures: number
  /** Path of the real 270M, and how much of its fixtures. */
  readonly real?: { readonly model: string; readonly prompts: number; readonly tokens: number; readonly rows: number }
  readonly say: (line: string) => void
}

export async function measure(subject: Subject, options: MeasureOptions): Promise<Measurement> {
  const { say, oracle, real } = options
  const factory = await subject.open()
  const backend = await factory.open({ numerics: subject.numerics })
  const device = backend.device
  await backend.dispose()
  say(`${subject.name} on ${device}`)
  const { kinds, problems } = await runCases(subject, factory, oracle, say)
  const hf: Record<string, number | null> = {}
  if (subject.numerics === 'exact') {
    for (const name of hfFixtures) hf[name] = finite(await compareFixture(name, factory))
    say(`HF fixtures: ${JSON.stringify(hf)}`)
  }
  const pictures = await agreePictures(subject, factory, options.pictures)
  say(`pictures: ${pictures.agree} of ${pictures.of}`)
  return {
    date: new Date().toISOString().slice(0, 10), device, kinds, problems, hf, pictures,
    ...(real !== undefined && (await agreeReal(subject, factory, real, say))),
  }
}

const finite = (value: number): number | null => (Number.isFinite(value) ? value : null)

async function runCases(subject: Subject, factory: BackendFactory, oracle: Oracle, say: (line: string) => void): Promise<Pick<Measurement, 'kinds' | 'problems'>> {
  const kinds: Record<string, KindResult> = {}
  const problems: string[] = []
  // One device for all cases, as in the suite.
  const shared = await factory.open({ numerics: subject.numerics })
  const once: BackendFactory = { name: factory.name, open: async () => ({ ...shared, dispose: async () => {} }) }
  for (const testCase of conformanceCases()) {
    const kind = testCase.kind === 'step' ? testCase.op : testCase.kind
    if (kind === 'sample' && shared.runsAhead === 1) continue // its plans never have this step
    const known = kinds[kind] ?? { cases: 0, failed: 0, worstNmse: 0, worstCase: '' }
    const result = await checkCase(testCase, once, { numerics: subject.numerics, oracle }).catch((error: unknown) => ({ nmse: Infinity, problems: [`${testCase.name}: ${String(error)}`] }))
    problems.push(...result.problems)
    kinds[kind] = {
      cases: known.cases + 1,
      failed: known.failed + (result.problems.length > 0 ? 1 : 0),
      ...(result.nmse > known.worstNmse ? { worstNmse: result.nmse, worstCase: testCase.name } : { worstNmse: known.worstNmse, worstCase: known.worstCase }),
    }
  }
  await shared.dispose()
  say(`${conformanceCases().length} cases, ${problems.length} problems`)
  return { kinds, problems }
}

async function compareFixture(name: string, factory: BackendFactory): Promise<number> {
  const folder = new URL(`models/${name}/`, fixtures)
  const { expected, options } = await readHfFixture(readFileSync(new URL('expected.safetensors', folder)))
  const checkpoint = await openModel(folder)
  try {
    const found = await trace(checkpoint, factory, { ...options, chunk: 41 })
    return Math.max(...tensorDifferences(expected, found).values())
  } finally {
    await checkpoint.close()
  }
}

interface DemoRow {
  readonly turns: readonly { readonly question: string; readonly picture: string | null; readonly answer?: string }[]
  readonly gguf: { readonly ids: readonly number[] }
}

async function agreePictures({ numerics }: Subject, backend: BackendFactory, most: number): Promise<Measurement['pictures']> {
  const { rows }: { rows: DemoRow[] } = JSON.parse(readFileSync(new URL('demo/images-expected.json', fixtures), 'utf8'))
  const chosen = rows.filter(({ turns }) => turns.some(({ picture }) => picture !== null)).slice(0, most)
  await using gemma = await Gemma.load(demoModel, { backend, numerics, contextLength: 512 })
  let agree = 0
  for (const { turns, gguf } of chosen) {
    const messages = turns.flatMap(({ question, picture, answer }) => {
      const image = picture === null ? [] : [{ type: 'image' as const, image: readFileSync(new URL(`demo/pictures/${picture}`, fixtures)) }]
      return [{ role: 'user', content: [...image, { type: 'text' as const, text: question }] }, ...(answer === undefined ? [] : [{ role: 'assistant', content: answer }])]
    })
    const [question] = messages.splice(-1)
    await using session = gemma.chat({ messages })
    const { ids } = await session.send(question.content, { temperature: 0 }).result
    if (ids.join() === gguf.ids.join()) agree++
  }
  return { agree, of: chosen.length }
}

interface PromptRow {
  readonly ids: readonly number[]
  readonly greedy: readonly number[]
  readonly margins: readonly number[]
}

/** A token of HF's counts where it is the best here too, or HF's own two best are closer than 1e-3. */
async function agreeReal({ numerics }: Subject, factory: BackendFactory, { model, prompts: most, tokens, rows }: NonNullable<MeasureOptions['real']>, say: (line: string) => void): Promise<Pick<Measurement, 'prompts' | 'rows'>> {
  const real = new URL('real-270m/', fixtures)
  const { rows: prompts }: { rows: PromptRow[] } = JSON.parse(readFileSync(new URL('expected.json', real), 'utf8'))
  const checkpoint = await openModel(model)
  try {
    let agree = 0
    for (const { ids, greedy, margins } of prompts.slice(0, most)) {
      const forced = [...ids, ...greedy.slice(0, tokens - 1)]
      const found = await trace(checkpoint, factory, { ids: forced, logits: 1, numerics, chunk: 128 })
      const best = found.get('top_ids')?.data ?? []
      const wanted = greedy.slice(0, tokens)
      const isEqual = wanted.every((id, step) => best[ids.length - 1 + step] === id || margins[step] < 1e-3)
      if (isEqual) agree++
      say(`270M: ${isEqual ? 'equal' : 'other tokens'} (${agree} so far)`)
    }
    const ofPrompts = { agree, of: Math.min(most, prompts.length), tokens }
    if (rows === 0) return { prompts: ofPrompts }
    const expected = await readSafetensors(readFileSync(new URL('long.safetensors', real)))
    const long = [...(expected.get('ids')?.data ?? [])].slice(0, rows)
    const found = await trace(checkpoint, factory, { ids: long, logits: 256, numerics, chunk: 128 })
    const agreement = compareRows(expected, found, long.length)
    say(`270M, ${rows} rows: top-1 ${agreement.top1}, KL ${agreement.kl}`)
    return { prompts: ofPrompts, rows: agreement }
  } finally {
    await checkpoint.close()
  }
}
