import { writeCacheWgsl } from './cache.wgsl.ts'
import { bufferOf, createBindings, f32, type Kernel, rowsOf, THREADS, u32, widthOf } from './kernel.ts'
import { reduceWgsl } from './reduce.wgsl.ts'

/** A workgroup a head of a row: query heads, then key heads, then value heads. */
export const normRopeStore: Kernel<'normRopeStore'> = ({ q, k, v, qNorm, kNorm, rope, kCache, vCache, eps }, { place, features }) => {
  const bindings = createBindings()
  const headDim = Number(place(qNorm).decl.shape[0])
  const heads = widthOf(place(q)) / headDim
  const kvHeads = widthOf(place(k)) / headDim
  const capacity = Number(place(kCache).decl.shape[0])
  const qName = bindings.write('q', bufferOf(place(q)))
  const stores = [writeCacheWgsl(bindings, 'k_cache', place(kCache)), writeCacheWgsl(bindings, 'v_cache', place(vCache))]
  const [kName, vName, qNormName, kNormName, ropeName] = ([['k', k], ['v', v], ['q_norm', qNorm], ['k_norm', kNorm], ['rope', rope]] as const).map(([name, buffer]) => bindings.read(name, bufferOf(place(buffer))))
  const half = u32(headDim / 2)
  return [
    {
      label: 'normRopeStore',
      buffers: bindings.buffers,
      grid: (args) => [heads + 2 * kvHeads, rowsOf(place(q), args), 1],
      wgsl: `${bindings.declarations(features)}
${reduceWgsl(features, { name: 'reduce', op: 'add', type: 'f32' })}
${stores.join('\n')}
// The head as it will be.
var<workgroup> head: array<f32, ${headDim}>;

@compute @workgroup_size(${THREADS})
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = wg.y;
  let is_query = wg.x < ${u32(heads)};
  let is_key = !is_query && wg.x < ${u32(heads + kvHeads)};
  let kv_head = (wg.x - ${u32(heads)}) % ${u32(kvHeads)};
  let q_at = row * ${u32(heads * headDim)} + wg.x * ${u32(headDim)};
  let kv_at = row * ${u32(kvHeads * headDim)} + kv_head * ${u32(headDim)};
  var squares = 0f;
  for (var i = lane; i < ${u32(headDim)}; i += ${THREADS}) {
    var value = 0f;
    if (is_query) { value = ${qName}[q_at + i]; } else if (is_key) { value = ${kName}[kv_at + i]; } else { value = ${vName}[kv_at + i]; }
    head[i] = value;
    squares += value * value;
  }
  let scale = inverseSqrt(reduce(lane, squares) / ${f32(headDim)} + ${f32(eps)});
  if (is_query || is_key) {
    for (var j = lane; j < ${half}; j += ${THREADS}) {
      let norm = select(vec2f(${kNormName}[j], ${kNormName}[j + ${half}]), vec2f(${qNormName}[j], ${qNormName}[j + ${half}]), is_query);
      let pair = vec2f(head[j], head[j + ${half}]) * scale * norm;
      let cos = ${ropeName}[row * ${u32(headDim)} + j];
      let sin = ${ropeName}[row * ${u32(headDim)} + ${half} + j];
      head[j] = pair.x * cos - pair.y * sin;
      head[j + ${half}] = pair.y * cos + pair.x * sin;
    }
  }
  workgroupBarrier();
  let slot = (run.position + row) % ${u32(capacity)};
  let pairs = (slot * ${u32(kvHeads)} + kv_head) * ${half};
  for (var j = lane; j < ${half}; j += ${THREADS}) {
    let values = vec2f(head[2 * j], head[2 * j + 1]);
    if (is_query) {
      ${qName}[q_at + 2 * j] = values.x;
      ${qName}[q_at + 2 * j + 1] = values.y;
    } else if (is_key) { store_k_cache(pairs + j, values); } else { store_v_cache(pairs + j, values); }
  }
}`,
    },
  ]
}
