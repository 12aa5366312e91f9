import type { Step } from '@facetjs/core/backend'
import { readCacheWgsl, seenWgsl } from './cache.wgsl.ts'
import { bufferOf, createBindings, f32, type Kernel, type KernelCall, type KernelContext, maxRows, rowsOf, rowsWgsl, THREADS, u32, widthOf } from './kernel.ts'
import { reduceWgsl } from './norm.ts'

type AttentionStep = Extract<Step, { op: 'attention' }>

/** Keys that one workgroup takes when a single row is shared out over the keys. */
const SPLIT_KEYS = 256
/** Floats of the queries that a workgroup holds at once. */
const QUERY_FLOATS = 2048
const MAX_QUERIES = 8

/** Below every score, and finite: WGSL promises nothing for infinities. */
const LOWEST = '-3.0e38f'

/** Softmax as it goes (maximum and sum so far), so that no matrix of scores is ever stored. */
export const attention: Kernel<'attention'> = (step, context) => {
  const capacity = maxRows(context.place(step.k), context.limits)
  const one = maxRows(context.place(step.q), context.limits) === 1 && capacity > SPLIT_KEYS
  return [...(one ? splitCalls(step, context, Math.ceil(capacity / SPLIT_KEYS)) : [tileCall(step, context)]), ...(step.probabilities === undefined ? [] : [probabilitiesCall(step, step.probabilities, context)])]
}

function shapesOf({ q, k, headDim }: AttentionStep, { place, limits }: KernelContext): { readonly heads: number; readonly kvHeads: number; readonly capacity: number; readonly group: number } {
  const [heads, kvHeads] = [widthOf(place(q)) / headDim, widthOf(place(k)) / headDim]
  return { heads, kvHeads, capacity: maxRows(place(k), limits), group: heads / kvHeads }
}

/** Rows per workgroup: as many as fit, and a power of two. */
function queriesOf(headDim: number): number {
  for (let queries = MAX_QUERIES; queries > 1; queries /= 2) if (queries * headDim <= QUERY_FLOATS) return queries
  return 1
}

/**
 * The body of both kernels: some queries of one head against the keys [low, high). Leaves in `sums` the unnormalised outputs of
 * the thread's columns, in `maxima` and `totals` each query's maximum and Σ exp.
 */
function flashWgsl(step: AttentionStep, context: KernelContext, queries: number): string {
  const { headDim } = step
  const { kvHeads, capacity, group } = shapesOf(step, context)
  const sides = queries > 1 ? 2 : 1 // threads that share a key
  const keys = THREADS / sides
  const perThread = queries / sides
  const columns = Math.ceil(headDim / THREADS)
  const fours = headDim % 4 === 0
  const dot = fours
    ? `for (var d = 0u; d < ${u32(headDim / 4)}; d++) {
        let key = k_four(key_at / 4 + d);
        for (var i = 0u; i < ${perThread}; i++) {
          let q_at = (side * ${perThread} + i) * ${u32(headDim)} + d * 4;
          scores[i] += dot(key, vec4f(query[q_at], query[q_at + 1], query[q_at + 2], query[q_at + 3]));
        }
      }`
    : `for (var d = 0u; d < ${u32(headDim)}; d++) {
        let key = k_one(key_at + d);
        for (var i = 0u; i < ${perThread}; i++) { scores[i] += key * query[(side * ${perThread} + i) * ${u32(headDim)} + d]; }
      }`
  return `
var<workgroup> query: array<f32, ${queries * headDim}>;
// [queries, keys]
var<workgroup> weights: array<f32, ${queries * keys}>;
var<workgroup> maxima: array<f32, ${queries}>;
var<workgroup> totals: array<f32, ${queries}>;
var<workgroup> corrections: array<f32, ${queries}>;
// [queries, columns of this thread]
var<private> sums: array<f32, ${queries * columns}>;

fn flash(lane: u32, row0: u32, rows: u32, head: u32, low: u32, high: u32) {
  let kv_head = head / ${u32(group)};
  if (lane < ${queries}) { maxima[lane] = ${LOWEST}; totals[lane] = 0; }
  for (var i = lane; i < ${queries * headDim}; i += ${THREADS}) {
    let row = min(row0 + i / ${u32(headDim)}, rows - 1);
    query[i] = load_q(row, head, i % ${u32(headDim)});
  }
  workgroupBarrier();
  let side = lane / ${keys};
  let mine = lane % ${keys};
  for (var tile = low; tile < high; tile += ${keys}) {
    let position = tile + mine;
    let slot = position % ${u32(capacity)};
    let key_at = (slot * ${u32(kvHeads)} + kv_head) * ${u32(headDim)};
    var scores = array<f32, ${perThread}>();
    if (position < high) {
      ${dot}
    }
    for (var i = 0u; i < ${perThread}; i++) {
      let range = seen(min(row0 + side * ${perThread} + i, rows - 1));
      let sees = position >= range.x && position < range.y && position < high;
      weights[(side * ${perThread} + i) * ${keys} + mine] = select(${LOWEST}, scores[i] * ${f32(step.scale)}, sees);
    }
    workgroupBarrier();
    if (lane < ${queries}) {
      var maximum = maxima[lane];
      for (var j = 0u; j < ${keys}; j++) { maximum = max(maximum, weights[lane * ${keys} + j]); }
      corrections[lane] = exp(maxima[lane] - maximum);
      maxima[lane] = maximum;
    }
    workgroupBarrier();
    for (var i = lane; i < ${queries * keys}; i += ${THREADS}) {
      let score = weights[i];
      weights[i] = select(exp(score - maxima[i / ${keys}]), 0, score == ${LOWEST});
    }
    workgroupBarrier();
    if (lane < ${queries}) {
      var total = totals[lane] * corrections[lane];
      for (var j = 0u; j < ${keys}; j++) { total += weights[lane * ${keys} + j]; }
      totals[lane] = total;
    }
    for (var c = 0u; c < ${columns}; c++) {
      let column = lane + c * ${THREADS};
      if (column >= ${u32(headDim)}) { break; }
      for (var i = 0u; i < ${queries}; i++) { sums[i * ${columns} + c] *= corrections[i]; }
      for (var j = 0u; j < min(${keys}u, high - tile); j++) {
        let value = v_one((((tile + j) % ${u32(capacity)}) * ${u32(kvHeads)} + kv_head) * ${u32(headDim)} + column);
        for (var i = 0u; i < ${queries}; i++) { sums[i * ${columns} + c] += weights[i * ${keys} + j] * value; }
      }
    }
    workgroupBarrier();
  }
}`
}

/** Reads that both kernels share. */
function reads(bindings: ReturnType<typeof createBindings>, step: AttentionStep, { place }: KernelContext): string {
  const qName = bindings.read('q', bufferOf(place(step.q)))
  return `${readCacheWgsl(bindings, 'k', place(step.k))}
${readCacheWgsl(bindings, 'v', place(step.v))}
${seenWgsl(bindings, place(step.begin), place(step.end))}
fn load_q(row: u32, head: u32, d: u32) -> f32 { return ${qName}[row * ${u32(widthOf(place(step.q)))} + head * ${u32(step.headDim)} + d]; }`
}

/** A workgroup takes some rows of one head through all keys that any of them sees. */
function tileCall(step: AttentionStep, context: KernelContext): KernelCall {
  const { headDim } = step
  const { heads } = shapesOf(step, context)
  const out = context.place(step.out)
  const queries = maxRows(context.place(step.q), context.limits) === 1 ? 1 : queriesOf(headDim)
  const columns = Math.ceil(headDim / THREADS)
  const bindings = createBindings()
  const outName = bindings.write('out', bufferOf(out))
  const body = reads(bindings, step, context)
  return {
    label: 'attention',
    buffers: bindings.buffers,
    grid: (args) => [Math.ceil(rowsOf(out, args) / queries), heads, 1],
    wgsl: `${bindings.declarations()}
${body}
${flashWgsl(step, context, queries)}
var<workgroup> bounds: vec2u;

@compute @workgroup_size(${THREADS})
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let rows = ${rowsWgsl(out)};
  let row0 = wg.x * ${queries};
  var low = 0xffffffffu;
  var high = 0u;
  for (var i = 0u; i < ${queries}; i++) {
    let range = seen(min(row0 + i, rows - 1));
    low = min(low, range.x);
    high = max(high, range.y);
  }
  // The same for all threads, which the compiler cannot see.
  if (lane == 0) { bounds = vec2u(low, high); }
  let uniform_bounds = workgroupUniformLoad(&bounds);
  flash(lane, row0, rows, wg.y, uniform_bounds.x, uniform_bounds.y);
  for (var i = 0u; i < ${queries}; i++) {
    if (row0 + i >= rows) { break; }
    for (var c = 0u; c < ${columns}; c++) {
      let column = lane + c * ${THREADS};
      if (column < ${u32(headDim)}) { ${outName}[(row0 + i) * ${u32(heads * headDim)} + wg.y * ${u32(headDim)} + column] = sums[i * ${columns} + c] / max(totals[i], 1e-30f); } // a row that sees nothing gets 0
    }
  }
}`,
  }
}

/** One row: workgroups share its keys, then another kernel joins what they found. */
function splitCalls(step: AttentionStep, context: KernelContext, splits: number): KernelCall[] {
  const { headDim } = step
  const { heads, capacity } = shapesOf(step, context)
  const { place } = context
  const columns = Math.ceil(headDim / THREADS)
  const stride = headDim + 2 // outputs, maximum, total
  const partials = context.scratch('attention', heads * splits * stride * 4)

  const bindings = createBindings()
  const partialName = bindings.write('partials', partials)
  const body = reads(bindings, step, context)
  const split: KernelCall = {
    label: 'attention, split',
    buffers: bindings.buffers,
    grid: ({ position, rows }) => [Math.ceil(Math.min(capacity, position + rows) / SPLIT_KEYS), heads, 1],
    wgsl: `${bindings.declarations()}
${body}
${flashWgsl(step, context, 1)}
var<workgroup> bounds: vec2u;

@compute @workgroup_size(${THREADS})
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_index) lane: u32) {
  if (lane == 0) {
    let range = seen(0);
    let low = range.x + wg.x * ${SPLIT_KEYS};
    bounds = vec2u(low, min(low + ${SPLIT_KEYS}, range.y));
  }
  let uniform_bounds = workgroupUniformLoad(&bounds);
  if (uniform_bounds.x >= uniform_bounds.y) { return; }
  flash(lane, 0, 1, wg.y, uniform_bounds.x, uniform_bounds.y);
  let at = (wg.y * ${u32(splits)} + wg.x) * ${u32(stride)};
  for (var c = 0u; c < ${columns}; c++) {
    let column = lane + c * ${THREADS};
    if (column < ${u32(headDim)}) { ${partialName}[at + column] = sums[c]; }
  }
  if (lane == 0) {
    ${partialName}[at + ${u32(headDim)}] = maxima[0];
    ${partialName}[at + ${u32(headDim + 1)}] = totals[0];
  }
}`,
  }

  const joining = createBindings()
  const outName = joining.write('out', bufferOf(place(step.out)))
  const joinName = joining.read('partials', partials)
  const seen = seenWgsl(joining, place(step.begin), place(step.end))
  const join: KernelCall = {
    label: 'attention, join',
    buffers: joining.buffers,
    grid: () => [heads, 1, 1],
    wgsl: `${joining.declarations()}
${seen}

@compute @workgroup_size(${THREADS})
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let range = seen(0);
  let splits = (range.y - range.x + ${SPLIT_KEYS - 1}) / ${SPLIT_KEYS};
  let at = wg.x * ${u32(splits * stride)};
  var maximum = ${LOWEST};
  for (var s = 0u; s < splits; s++) { maximum = max(maximum, ${joinName}[at + s * ${u32(stride)} + ${u32(headDim)}]); }
  var total = 0f;
  for (var s = 0u; s < splits; s++) {
    let part = at + s * ${u32(stride)} + ${u32(headDim)};
    total += ${joinName}[part + 1] * exp(${joinName}[part] - maximum);
  }
  for (var column = lane; column < ${u32(headDim)}; column += ${THREADS}) {
    var sum = 0f;
    for (var s = 0u; s < splits; s++) {
      let part = at + s * ${u32(stride)};
      sum += ${joinName}[part + column] * exp(${joinName}[part + ${u32(headDim)}] - maximum);
    }
    ${outName}[wg.x * ${u32(headDim)} + column] = sum / max(total, 1e-30f);
  }
}`,
  }
  return [split, join]
}

/** For inspection: what the softmax was, by slot. A workgroup a head of a row. */
function probabilitiesCall(step: AttentionStep, probabilities: string, context: KernelContext): KernelCall {
  const { headDim, scale } = step
  const { heads, kvHeads, capacity, group } = shapesOf(step, context)
  const { place } = context
  const bindings = createBindings()
  const outName = bindings.write('probabilities', bufferOf(place(probabilities)))
  const qName = bindings.read('q', bufferOf(place(step.q)))
  const keys = readCacheWgsl(bindings, 'k', place(step.k))
  const seen = seenWgsl(bindings, place(step.begin), place(step.end))
  return {
    label: 'attention, probabilities',
    buffers: bindings.buffers,
    grid: (args) => [heads, rowsOf(place(step.out), args), 1],
    wgsl: `${bindings.declarations()}
${reduceWgsl}
${keys}
${seen}
var<workgroup> maxima: array<f32, ${THREADS}>;

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
  maxima[lane] = maximum;
  workgroupBarrier();
  for (var i = 0u; i < ${THREADS}; i++) { maximum = max(maximum, maxima[i]); }
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
