import type { GemmaSize } from '@facetjs/core'
import { catalogueModel } from './catalogue.ts'

/** What runs on this device. */
export type LocalModel =
  /** Of the catalogue, or another address of the hub. */
  | { readonly kind: 'catalogue'; readonly id: string }
  /** From this machine; gone after a reload. */
  | { readonly kind: 'files'; readonly name: string; readonly model: File | ReadonlyMap<string, File>; readonly mmproj?: File }

/** Of a server that speaks the OpenAI protocol. */
export interface ServerModel {
  /** An http(s) address without a key or password in it. */
  readonly address: string
  /** Its name there. */
  readonly model: string
  /** Where its name does not say it. */
  readonly size?: GemmaSize
}

/** What the conversation is with. */
export type ChosenModel = LocalModel | ({ readonly kind: 'server' } & ServerModel)

export function nameOfModel(chosen: ChosenModel): string {
  if (chosen.kind === 'files') return chosen.name
  if (chosen.kind === 'server') return `${chosen.model} at ${hostOf(chosen)}`
  return catalogueModel(chosen.id)?.name ?? chosen.id.replace(/^hf:/, '')
}

export function hostOf({ address }: Pick<ServerModel, 'address'>): string {
  return new URL(address).host
}

/** Which of these files are a model: a .gguf (with its mmproj), or the files of a safetensors folder. Undefined: none. */
export function modelOfFiles(files: readonly File[]): LocalModel | undefined {
  const ggufs = files.filter(({ name }) => /\.gguf$/i.test(name))
  const mmproj = ggufs.find(({ name }) => /mmproj/i.test(name))
  const model = ggufs.find((file) => file !== mmproj)
  if (model !== undefined) return { kind: 'files', name: model.name, model, ...(mmproj && { mmproj }) }
  const weights = files.find(({ name }) => /\.safetensors$/i.test(name))
  if (weights !== undefined) return { kind: 'files', name: weights.name, model: new Map(files.map((file) => [file.name, file])) }
  return undefined
}
