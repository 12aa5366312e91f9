import { rowCalls } from './attention-row.ts'
import { tileCall } from './attention-tile.ts'
import { type AttentionStep, LOWEST, shapesOf } from './attention.wgsl.ts'
import { readCacheWgsl, seenWgsl } from './cache.wgsl.ts'
import { bufferOf, createBindings, f32, type Kernel, type KernelCall, type KernelContext, maxRows, rowsOf, THREADS, u32 } from './kernel.ts'
import { reduceWgsl } from './reduce.wgsl.ts'

/** Softmax as it goes (maximum and sum so far), so that no matrix of scores is ever stored. */
export const attention: Kernel<'attention'> = (step, context) => {
  const calls = maxRows(context.place(step.q), context.limits) === 1 ? rowCalls(step, context) : [tileCall(step, context)]
  return step.probabilities === undefined ? calls : [...calls, probabilitiesCall(step, step.probabilities, context)]
}

/** For inspection: what the softmax was, by slot. A workgroup a head of a row. */
function probabilitiesCall(step: AttentionStep, probabilities: string, context: KernelContext): KernelCall {
  const { headDim, scale } = step
  const { heads, kvHeads, capacity, group } = shapesOf(step, context)
  const { place, features } = context
  const bindings = createBindings()
  const outName = bindings.write('probabilities', bufferOf(place(probabilities)))
  const qName = bindings.read('q', bufferOf(place(step.q)))
  const keys = readCacheWgsl(bindings, 'k', place(step.k))
  const seen = seenWgsl(bindings, place(step.begin), place(step.end))
  return {
    label: 'attention, probabilities',
    buffers: bindings.buffers,
    grid: (args) => [heads, rowsOf(place(step.out), args), 1],
    wgsl: `${bindings.declarations(features)}
${reduceWgsl(features, { name: 'greatest', op: 'max', type: 'f32' })}
${reduceWgsl(features, { name: 'reduce', op: 'add', type: 'f32' })}
${keys}
${seen}

fn score(row: u32, head: u32, position: u32) -> f32 {
  let key_at = ((position % ${u32(capacity)}) * ${u32(kvHeads)} + head / ${u32(group)}) * ${u32(headDim)};
  let q_at = row * ${u32(heads * headDim)} + head * ${u32(headDim)};
  var sum = 0f;
  for (var d = 0u; d < ${u32(headDim)}; d++) { sum += ${qName}[q_at + d] * k_one(key_at + d); }
  return sum * ${f32(scale)};
}

@compute @workgroup_size(${THREADS})
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let range = seen(wg.y);
  let start = (wg.y * ${u32(heads)} + wg.x) * ${u32(capacity)};
  for (var slot = lane; slot < ${u32(capacity)}; slot += ${THREADS}) { ${outName}[start + slot] = 0; }
  storageBarrier();
  var maximum = ${LOWEST};
  for (var position = range.x + lane; position < range.y; position += ${THREADS}) {
    let value = score(wg.y, wg.x, position);
    ${outName}[start + position % ${u32(capacity)}] = value;
    maximum = max(maximum, value);
  }
  maximum = greatest(lane, maximum);
  var sum = 0f;
  for (var position = range.x + lane; position < range.y; position += ${THREADS}) {
    let value = exp(${outName}[start + position % ${u32(capacity)}] - maximum);
    ${outName}[start + position % ${u32(capacity)}] = value;
    sum += value;
  }
  let total = reduce(lane, sum);
  for (var position = range.x + lane; position < range.y; position += ${THREADS}) { ${outName}[start + position % ${u32(capacity)}] /= total; }
}`,
  }
}
