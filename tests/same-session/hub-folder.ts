/** The demo model as a folder of the Hugging Face hub, so that vLLM runs the very weights that a local session runs. */
import { copyFile, mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Checkpoint, openModel, type TensorInfo } from '../../packages/core/src/index.ts'
import { type NamedTensor, writeSafetensors } from '../../packages/core/src/inspect.ts'
import { demoModel } from '../../packages/demo-model/src/index.ts'
import { dequantize } from '../../packages/core/src/weights/dequantize.ts'
import { isRmsNorm } from '../../packages/core/src/weights/stored-tensor.ts'

/** As HF wrote it: config.json, the tokenizer and their like are the same. */
const original = fileURLToPath(new URL('../../packages/core/fixtures/models/demo-shapes/', import.meta.url))

/** Writes the folder: GGUF and mmproj, decoded to f32 and named as the hub's files of 2025 are. */
export async function writeHubFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true })
  for (const name of await readdir(original)) if (name.endsWith('.json')) await copyFile(join(original, name), join(folder, name))
  const checkpoint = await openModel(demoModel.gguf, { mmproj: demoModel.mmproj })
  try {
    await writeFile(join(folder, 'processor_config.json'), JSON.stringify({ processor_class: 'Gemma3Processor', image_seq_length: checkpoint.config.vision?.mmTokensPerImage }))
    const tensors = new Map<string, NamedTensor>()
    for (const info of checkpoint.tensors.values()) tensors.set(hubName(info.name), asStored(info, await tensorValues(checkpoint, info)))
    await writeFile(join(folder, 'model.safetensors'), writeSafetensors(tensors))
  } finally {
    await checkpoint.close()
  }
}

/** All values of a tensor, row-major in `shape`, in f32. */
export async function tensorValues(checkpoint: Checkpoint, { name, type, shape }: TensorInfo): Promise<Float32Array> {
  const values = new Float32Array(shape.reduce((product, size) => product * size, 1))
  const width = shape.length < 2 ? values.length : values.length / shape[0]
  for await (const { row, rows, bytes } of checkpoint.read(name)) dequantize(type, bytes, values.subarray(row * width, (row + rows) * width))
  return values
}

function hubName(name: string): string {
  if (name.startsWith('vision_tower.')) return name.replace('vision_tower.', 'vision_tower.vision_model.')
  return name.startsWith('multi_modal_projector.') ? name : `language_model.model.${name}`
}

/** Safetensors keep RMSNorm's w, not 1 + w, and the projector as [visionHidden, textHidden]. */
function asStored({ name, shape }: TensorInfo, values: Float32Array): NamedTensor {
  if (name === 'multi_modal_projector.mm_input_projection_weight') {
    const [rows, columns] = shape
    return { dtype: 'F32', shape: [columns, rows], data: values.map((_, at) => values[(at % rows) * columns + Math.floor(at / rows)]) }
  }
  return { dtype: 'F32', shape, data: isRmsNorm(name) ? values.map((value) => value - 1) : values }
}
