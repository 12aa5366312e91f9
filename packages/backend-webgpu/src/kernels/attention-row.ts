import { type AttentionStep, LOWEST, readsWgsl, shapesOf } from './attention.wgsl.ts'
import { seenWgsl } from './cache.wgsl.ts'
import { bufferOf, createBindings, f32, type KernelCall, type KernelContext, THREADS, u32 } from './kernel.ts'
import { reduceWgsl } from './reduce.wgsl.ts'

/** Keys that one workgroup takes. */
const SPLIT_KEYS = 256

/** One row. Where there may be many keys, workgroups share them, and another kernel joins what they found. */
export function rowCalls(step: AttentionStep, context: KernelContext): KernelCall[] {
  const { heads, capacity } = shapesOf(step, context)
  const out = bufferOf(context.place(step.out))
  const splits = Math.ceil(capacity / SPLIT_KEYS)
  if (splits === 1) return [keysCall(step, context, 1, out)]
  const { strideOf, bytes } = unitOf(step)
  const partials = context.scratch('attention', heads * splits * strideOf * bytes)
  return [keysCall(step, context, splits, partials), joinCall(step, context, splits, partials, out)]
}

/** Columns go by fours where they can. Of a part, `strideOf` units: outputs before the division, greatest score, Σ exp. */
function unitOf({ headDim }: AttentionStep): { readonly type: 'vec4f' | 'f32'; readonly load: string; readonly x: string; readonly units: number; readonly strideOf: number; readonly bytes: number } {
  const units = headDim % 4 === 0 ? headDim / 4 : headDim
  const strideOf = units + 2
  return headDim % 4 === 0 ? { type: 'vec4f', load: 'four', x: '.x', units, strideOf, bytes: 16 } : { type: 'f32', load: 'one', x: '', units, strideOf, bytes: 4 }
}

/** A workgroup takes a head and some keys: a thread has a key for the scores, and some columns of the output. */
function keysCall(step: AttentionStep, context: KernelContext, splits: number, target: GPUBuffer): KernelCall {
  const { features } = context
  const { heads, kvHeads, capacity, group } = shapesOf(step, context)
  const { type, load, units, strideOf } = unitOf(step)
  const columns = Math.ceil(units / THREADS)
  const bindings = createBindings()
  const targetName = bindings.write('target_units', target, type)
  const reads = readsWgsl(bindings, step, context)
  const isWhole = splits === 1
  return {
    label: isWhole ? 'attention' : 'attention, split',
    buffers: bindings.buffers,
    grid: ({ position, rows }) => [Math.ceil(Math.min(capacity, position + rows) / SPLIT_KEYS), heads, 1],
    wgsl: `${bindings.declarations(features)}
${reduceWgsl(features, { name: 'greatest_of', op: 'max', type: 'f32' })}
${reduceWgsl(features, { name: 'sum_of', op: 'add', type: 'f32' })}
${reads}
var<workgroup> query: array<${type}, ${units}>;
var<workgroup> weights: array<f32, ${THREADS}>;
var<workgroup> bounds: vec2u;

fn start_of(position: u32, kv_head: u32) -> u32 { return (position % ${u32(capacity)} * ${u32(kvHeads)} + kv_head) * ${u32(units)}; }

@compute @workgroup_size(${THREADS})
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let head = wg.y;
  let kv_head = head / ${u32(group)};
  if (lane == 0) {
    let range = seen(0);
    let first = range.x + wg.x * ${SPLIT_KEYS};
    bounds = vec2u(first, min(first + ${SPLIT_KEYS}, range.y));
  }
  for (var d = lane; d < ${u32(units)}; d += ${THREADS}) { query[d] = ${type === 'vec4f' ? 'vec4f(load_q(0, head, 4 * d), load_q(0, head, 4 * d + 1), load_q(0, head, 4 * d + 2), load_q(0, head, 4 * d + 3))' : 'load_q(0, head, d)'}; }
  // The same for all threads, which the compiler cannot see. A barrier for the query too.
  let shared_bounds = workgroupUniformLoad(&bounds);
  let low = shared_bounds.x;
  let high = shared_bounds.y;
  var sums = array<${type}, ${columns}>();
  var greatest = ${LOWEST};
  var total = 0f;
  for (var tile = low; tile < high; tile += ${THREADS}) {
    let position = tile + lane;
    var score = ${LOWEST};
    if (position < high) {
      let start = start_of(position, kv_head);
      score = 0;
      for (var d = 0u; d < ${u32(units)}; d++) { score += ${type === 'vec4f' ? 'dot(k_four(start + d), query[d])' : 'k_one(start + d) * query[d]'}; }
      score *= ${f32(step.scale)};
    }
    let before = greatest;
    greatest = max(greatest, greatest_of(lane, score)); // whose barriers keep the weights until all have read them
    let weight = select(0, exp(score - greatest), position < high);
    weights[lane] = weight;
    workgroupBarrier();
    let correction = exp(before - greatest);
    total = total * correction + weight;
    for (var c = 0u; c < ${columns}; c++) {
      let column = lane + c * ${THREADS};
      if (column >= ${u32(units)}) { break; }
      var sum = sums[c] * correction;
      for (var j = 0u; j < min(${THREADS}u, high - tile); j++) { sum += weights[j] * v_${load}(start_of(tile + j, kv_head) + column); }
      sums[c] = sum;
    }
  }
  total = sum_of(lane, total);
  let at = ${isWhole ? `head * ${u32(units)}` : `(head * ${u32(splits)} + wg.x) * ${u32(strideOf)}`};
  for (var c = 0u; c < ${columns}; c++) {
    let column = lane + c * ${THREADS};
    if (column < ${u32(units)}) { ${targetName}[at + column] = sums[c]${isWhole ? ' / max(total, 1e-30f)' : ''}; } // a row that sees nothing gets 0
  }
  ${isWhole ? '' : `if (lane == 0) {
    ${targetName}[at + ${u32(units)}] = ${type}(greatest);
    ${targetName}[at + ${u32(units + 1)}] = ${type}(total);
  }`}
}`,
  }
}

/** A workgroup a head. */
function joinCall(step: AttentionStep, context: KernelContext, splits: number, partials: GPUBuffer, out: GPUBuffer): KernelCall {
  const { place } = context
  const { type, x, units, strideOf } = unitOf(step)
  const bindings = createBindings()
  const outName = bindings.write('out', out, type)
  const partialName = bindings.read('partials', partials, type)
  const seen = seenWgsl(bindings, place(step.begin), place(step.end))
  return {
    label: 'attention, join',
    buffers: bindings.buffers,
    grid: () => [shapesOf(step, context).heads, 1, 1],
    wgsl: `${bindings.declarations()}
${seen}

@compute @workgroup_size(${THREADS})
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let range = seen(0);
  let at = wg.x * ${u32(splits * strideOf)};
  let end = at + (range.y - range.x + ${SPLIT_KEYS - 1}) / ${SPLIT_KEYS} * ${u32(strideOf)};
  var greatest = ${LOWEST};
  for (var part = at; part < end; part += ${u32(strideOf)}) { greatest = max(greatest, ${partialName}[part + ${u32(units)}]${x}); }
  var total = 0f;
  for (var part = at; part < end; part += ${u32(strideOf)}) { total += ${partialName}[part + ${u32(units + 1)}]${x} * exp(${partialName}[part + ${u32(units)}]${x} - greatest); }
  for (var column = lane; column < ${u32(units)}; column += ${THREADS}) {
    var sum = ${type}();
    for (var part = at; part < end; part += ${u32(strideOf)}) { sum += ${partialName}[part + column] * exp(${partialName}[part + ${u32(units)}]${x} - greatest); }
    ${outName}[wg.x * ${u32(units)} + column] = sum / max(total, 1e-30f);
  }
}`,
  }
}
