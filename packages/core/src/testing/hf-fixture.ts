import type { TraceOptions } from '../session/trace.ts'
import { readSafetensors } from '../weights/read-safetensors.ts'
import type { NamedTensors } from '../weights/write-safetensors.ts'

/** A file of expected values (expected.safetensors of fixtures/models): what to trace, and what comes out in HF. */
export interface HfFixture {
  readonly options: Pick<TraceOptions, 'ids' | 'pixels' | 'greedy' | 'hidden' | 'logits'>
  readonly expected: NamedTensors
}

export async function readHfFixture(bytes: Uint8Array): Promise<HfFixture> {
  const expected = new Map(await readSafetensors(bytes))
  const pixels = expected.get('pixel_values')
  expected.delete('pixel_values')
  const ids = [...(expected.get('input_ids')?.data ?? [])]
  const greedy = expected.get('greedy')?.data.length ?? 0
  return { expected, options: { ids, greedy, hidden: true, logits: 'all', ...(pixels?.data instanceof Float32Array && { pixels: { data: pixels.data, shape: pixels.shape } }) } }
}
