import { type LocalModel, modelOfFiles } from '../engine/chosen-model.ts'

export interface SortedFiles {
  readonly model: LocalModel | undefined
  readonly pictures: readonly File[]
  /** For people, one sentence or two a file. */
  readonly problems: readonly string[]
}

/** What dropped, pasted or picked files are good for. */
export async function checkFiles(files: readonly File[]): Promise<SortedFiles> {
  const model = modelOfFiles(files)
  if (model !== undefined) return { model, pictures: [], problems: [] }
  const checked = await Promise.all(files.map(async (file) => ({ file, problem: await problemOf(file) })))
  return {
    model: undefined,
    pictures: checked.flatMap(({ file, problem }) => (problem === undefined ? [file] : [])),
    problems: checked.flatMap(({ problem }) => problem ?? []),
  }
}

async function problemOf(file: File): Promise<string | undefined> {
  if (!file.type.startsWith('image/')) return `${file.name} is neither a picture nor a model. Drop a PNG, JPEG, WebP, GIF or BMP, or a .gguf file.`
  try {
    const bitmap = await createImageBitmap(file)
    bitmap.close()
    return undefined
  } catch {
    return `${file.name} cannot be read as a picture: it is damaged, or of a kind that this browser does not know. Save it as PNG or JPEG, and try again.`
  }
}
