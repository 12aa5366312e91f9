import type { StepCost } from '@facetjs/core'

/** Where a step's time belongs in the module tree. */
export interface StepPlace {
  /** A module's path, as canonical tensor names begin. */
  readonly path: string
  /** Of a step that is more than that module, or has no weights: what it does. */
  readonly label: string | undefined
}

const labels: Readonly<Partial<Record<StepCost['op'], string>>> = {
  attention: 'scores, softmax, values',
  normRopeStore: 'norms, RoPE, store',
  gatedLinear: 'gate and up together',
  placeRows: 'picture rows',
  takeRows: 'take rows',
  topK: 'best candidates',
  sample: 'sample',
}

export function placeOfStep({ section, op, weights }: StepCost): StepPlace {
  const label = labels[op] ?? op
  if (section === 'logits') return { path: 'lm_head', label: undefined } // its matrix has the embedding's name
  if (section === 'topK' || section === 'sample') return { path: 'lm_head', label }
  if (section === 'embed') return { path: 'embed_tokens', label: weights.length === 0 ? label : undefined }
  const modules = weights.map(({ name }) => name.slice(0, name.lastIndexOf('.')))
  if (modules.length === 0) return { path: op === 'attention' ? `${section}.self_attn` : section, label }
  if (modules.every((module) => module === modules[0])) return { path: modules[0], label: undefined }
  return { path: commonPath(modules), label }
}

function commonPath(paths: readonly string[]): string {
  const [first, ...others] = paths.map((path) => path.split('.'))
  const length = first.findIndex((name, i) => others.some((other) => other[i] !== name))
  return first.slice(0, length < 0 ? first.length : length).join('.')
}
