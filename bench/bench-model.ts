import { type Checkpoint, type GemmaSize, gemmaSizes, openModel } from '../packages/core/src/index.ts'
import { syntheticCheckpoint } from './synthetic.ts'

const prefix = 'synthetic:'

/** What `--synthetic` gives engines in place of a path. */
export function syntheticName(wanted: string): string {
  if (!isSize(wanted)) throw new Error(`There is no Gemma 3 ${wanted}. Choose from ${Object.keys(gemmaSizes).join(', ')}.`)
  return `${prefix}${wanted}`
}

/** A file, or a synthetic model. Its answers go on past end tokens: so many tokens are what is measured. */
export async function openBenchModel(model: string): Promise<Checkpoint> {
  const size = model.slice(prefix.length)
  if (model.startsWith(prefix) && isSize(size)) return syntheticCheckpoint(size)
  const checkpoint = await openModel(model)
  return { ...checkpoint, generation: {}, tokenizer: async () => ({ ...(await checkpoint.tokenizer()), endIds: new Set<number>() }) }
}

function isSize(name: string): name is GemmaSize {
  return Object.hasOwn(gemmaSizes, name)
}
