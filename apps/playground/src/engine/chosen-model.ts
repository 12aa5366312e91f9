import { catalogueModel } from './catalogue.ts'

/** What the conversation is with. */
export type ChosenModel =
  /** Of the catalogue, or another address of the hub. */
  | { readonly kind: 'catalogue'; readonly id: string }
  /** From this machine; gone after a reload. */
  | { readonly kind: 'files'; readonly name: string; readonly model: File | ReadonlyMap<string, File>; readonly mmproj?: File }

export function nameOfModel(chosen: ChosenModel): string {
  if (chosen.kind === 'files') return chosen.name
  return catalogueModel(chosen.id)?.name ?? chosen.id.replace(/^hf:/, '')
}

/** Which of these files are a model: a .gguf (with its mmproj), or the files of a safetensors folder. Undefined: none. */
export function modelOfFiles(files: readonly File[]): ChosenModel | undefined {
  const ggufs = files.filter(({ name }) => /\.gguf$/i.test(name))
  const mmproj = ggufs.find(({ name }) => /mmproj/i.test(name))
  const model = ggufs.find((file) => file !== mmproj)
  if (model !== undefined) return { kind: 'files', name: model.name, model, ...(mmproj && { mmproj }) }
  const weights = files.find(({ name }) => /\.safetensors$/i.test(name))
  if (weights !== undefined) return { kind: 'files', name: weights.name, model: new Map(files.map((file) => [file.name, file])) }
  return undefined
}
