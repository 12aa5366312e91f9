import type { BackendFactory, Numerics } from '../../packages/core/src/index.ts'
import { reference } from '../../packages/core/src/reference/index.ts'
import { huggingFaceSubject } from './huggingface.ts'

/** A backend with one kind of arithmetic. */
export interface Subject {
  readonly name: string
  readonly numerics: Numerics
  /** @throws Error that says why it cannot be measured on this machine */
  readonly open: () => Promise<BackendFactory>
}

async function openCuda(): Promise<BackendFactory> {
  const { cudaHere } = await import('../cuda-here.ts')
  const { cuda } = await import('../../packages/backend-cuda/src/index.ts')
  return cuda(await cudaHere())
}

/** Columns of the tables, in order. */
export const subjects: readonly Subject[] = [
  { name: 'wasm exact', numerics: 'exact', open: async () => (await import('../../packages/backend-wasm/src/index.ts')).wasm() },
  { name: 'wasm fast', numerics: 'fast', open: async () => (await import('../../packages/backend-wasm/src/index.ts')).wasm() },
  { name: 'webgpu exact', numerics: 'exact', open: async () => (await import('../../packages/backend-webgpu/src/index.ts')).webgpu() },
  { name: 'webgpu fast', numerics: 'fast', open: async () => (await import('../../packages/backend-webgpu/src/index.ts')).webgpu() },
  { name: 'cuda exact', numerics: 'exact', open: openCuda },
  { name: 'cuda fast', numerics: 'fast', open: openCuda },
  { name: 'reference exact', numerics: 'exact', open: async () => reference() },
]

export interface Choice {
  readonly chosen: readonly Subject[]
  /** Beside them, the rows of transformers.js. */
  readonly hasHuggingFace: boolean
}

/** Those of `--subject` and of `--backend`; without either all but the slow reference. @throws Error where there is none of a name */
export function chooseSubjects({ subject = [], backend = [] }: { readonly subject?: readonly string[] | undefined; readonly backend?: readonly string[] | undefined }): Choice {
  const names = [...subjects.map(({ name }) => name), huggingFaceSubject]
  const backends = [...new Set(subjects.map(backendOf))]
  check('subject', subject, names)
  check('backend', backend, backends)
  if (subject.length + backend.length === 0) return { chosen: subjects.filter((each) => backendOf(each) !== 'reference'), hasHuggingFace: true }
  return { chosen: subjects.filter((each) => subject.includes(each.name) || backend.includes(backendOf(each))), hasHuggingFace: subject.includes(huggingFaceSubject) }
}

const backendOf = ({ name }: Subject): string => name.split(' ')[0]

function check(what: string, wanted: readonly string[], known: readonly string[]): void {
  const unknown = wanted.find((name) => !known.includes(name))
  if (unknown !== undefined) throw new Error(`There is no ${what} ${unknown}. Choose among: ${known.join(', ')}.`)
}
