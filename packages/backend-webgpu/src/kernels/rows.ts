/** Steps that move rows. */
import { bufferOf, createBindings, f32, type Kernel, maxRows, rowsOf, THREADS, u32, widthOf } from './kernel.ts'
import { eightWgsl, loadEightWgsl } from './weights.wgsl.ts'

/** A dispatch a shard of the table: each fills the rows whose ids lie in it. */
export const embed: Kernel<'embed'> = ({ ids, table, out, scale }, { place }) => {
  const { shards, layout, decl } = place(table)
  if (layout === undefined) throw new TypeError(`${table} is no matrix`)
  const [placed, width] = [place(out), widthOf(place(out))]
  return shards.map((shard) => {
    const bindings = createBindings()
    const outName = bindings.write('out', bufferOf(placed))
    const idsName = bindings.read('ids', bufferOf(place(ids)), 'i32')
    const tableName = bindings.read('table', shard.buffer, 'u32')
    return {
      label: `embed ${table}`,
      buffers: bindings.buffers,
      grid: (args) => [Math.ceil(width / (8 * THREADS)), rowsOf(placed, args), 1],
      wgsl: `${bindings.declarations()}
${eightWgsl}
${loadEightWgsl('load', tableName, layout, shard.rows)}

@compute @workgroup_size(${THREADS})
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let group = wg.x * ${THREADS} + lane;
  var id = ${idsName}[wg.y];
  if (id < 0 || id >= ${Number(decl.shape[0])}) { id = 0; }
  let row = u32(id) - ${u32(shard.first)}; // wraps around for ids of shards before
  if (group * 8 >= ${u32(width)} || row >= ${u32(shard.rows)}) { return; }
  let values = load(row, group);
  for (var i = 0u; i < 8; i++) {
    let column = group * 8 + i;
    if (column >= ${u32(width)}) { break; }
    ${outName}[wg.y * ${u32(width)} + column] = select(values.high[i & 3], values.low[i & 3], i < 4) * ${f32(scale)};
  }
}`,
    }
  })
}

export const placeRows: Kernel<'placeRows'> = ({ source, index, out }, { place }) => moveRows('placeRows', place(source), place(index), place(out), true)

export const takeRows: Kernel<'takeRows'> = ({ x, index, out }, { place }) => moveRows('takeRows', place(x), place(index), place(out), false)

type Placed = Parameters<typeof bufferOf>[0]

/** out[r] = from[index[r]]; with `keeps`, an index below 0 leaves the row as it is. */
function moveRows(label: string, from: Placed, index: Placed, out: Placed, keeps: boolean): ReturnType<Kernel<'takeRows'>> {
  const bindings = createBindings()
  const width = widthOf(out)
  const outName = bindings.write('out', bufferOf(out))
  const fromName = bindings.read('source', bufferOf(from))
  const indexName = bindings.read('index', bufferOf(index), 'i32')
  return [
    {
      label,
      buffers: bindings.buffers,
      grid: (args) => [Math.ceil(width / THREADS), rowsOf(out, args), 1],
      wgsl: `${bindings.declarations()}

@compute @workgroup_size(${THREADS})
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let column = wg.x * ${THREADS} + lane;
  let from_row = ${indexName}[wg.y];
  if (column >= ${u32(width)}${keeps ? ' || from_row < 0' : ''}) { return; }
  ${outName}[wg.y * ${u32(width)} + column] = ${fromName}[u32(from_row) * ${u32(width)} + column];
}`,
    },
  ]
}

export const avgPool: Kernel<'avgPool'> = ({ x, out, size }, { place, limits }) => {
  const bindings = createBindings()
  const [placed, width] = [place(out), widthOf(place(out))]
  const side = Math.sqrt(maxRows(place(x), limits))
  const outName = bindings.write('out', bufferOf(placed))
  const xName = bindings.read('x', bufferOf(place(x)))
  return [
    {
      label: 'avgPool',
      buffers: bindings.buffers,
      grid: (args) => [Math.ceil(width / THREADS), rowsOf(placed, args), 1],
      wgsl: `${bindings.declarations()}

@compute @workgroup_size(${THREADS})
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let column = wg.x * ${THREADS} + lane;
  if (column >= ${u32(width)}) { return; }
  let top = wg.y / ${u32(side / size)} * ${u32(size)};
  let left = wg.y % ${u32(side / size)} * ${u32(size)};
  var sum = 0f;
  for (var i = 0u; i < ${u32(size)}; i++) {
    for (var j = 0u; j < ${u32(size)}; j++) { sum += ${xName}[((top + i) * ${u32(side)} + left + j) * ${u32(width)} + column]; }
  }
  ${outName}[wg.y * ${u32(width)} + column] = sum / ${f32(size * size)};
}`,
    },
  ]
}
