import { type AttentionStep, LOWEST, readsWgsl, shapesOf } from './attention.wgsl.ts'
import { bufferOf, createBindings, f32, type KernelCall, type KernelContext, rowsOf, rowsWgsl, THREADS, u32 } from './kernel.ts'

/** Floats of the queries that a workgroup holds at once. */
const QUERY_FLOATS = 2048
const MAX_QUERIES = 8

/** A workgroup takes some rows of one head through all keys that any of them sees. */
export function tileCall(step: AttentionStep, context: KernelContext): KernelCall {
  const { headDim } = step
  const { heads } = shapesOf(step, context)
  const out = context.place(step.out)
  const queries = queriesOf(headDim)
  const columns = Math.ceil(headDim / THREADS)
  const bindings = createBindings()
  const outName = bindings.write('out', bufferOf(out))
  const reads = readsWgsl(bindings, step, context)
  return {
    label: 'attention',
    buffers: bindings.buffers,
    grid: (args) => [Math.ceil(rowsOf(out, args) / queries), heads, 1],
    wgsl: `${bindings.declarations()}
${reads}
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

/** Rows per workgroup: as many as fit, and a power of two. */
function queriesOf(headDim: number): number {
  for (let queries = MAX_QUERIES; queries > 1; queries /= 2) if (queries * headDim <= QUERY_FLOATS) return queries
  return 1
}

/**
 * Some queries of one head against the keys [low, high). Leaves in `sums` the unnormalised outputs of the thread's columns, in `maxima` and
 * `totals` each query's maximum and Σ exp.
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
