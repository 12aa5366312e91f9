import type { BufferName } from '@facetjs/core/backend'
import { type BoundBuffer, bufferOf, createBindings, type Kernel, type KernelCall, type KernelContext, maxRows, type Placed, rowsOf, rowsWgsl, type Shard, spread, THREADS, u32, widthOf } from './kernel.ts'
import { eightWgsl, loadEightWgsl } from './weights.wgsl.ts'

/** What becomes of a sum. `a`: x · weightᵀ; `b`: x · upᵀ of a gated product. */
interface Product {
  readonly label: string
  readonly x: BufferName
  readonly weights: readonly BufferName[]
  readonly out: BufferName
  readonly bias?: BufferName
  readonly add?: BufferName
  readonly epilogue: 'none' | 'gelu' | 'gated'
}

export const linear: Kernel<'linear'> = ({ x, weight, out, bias, activation, add }, context) =>
  product({ label: `linear ${weight}`, x, weights: [weight], out, epilogue: activation ?? 'none', ...(bias !== undefined && { bias }), ...(add !== undefined && { add }) }, context)

export const gatedLinear: Kernel<'gatedLinear'> = ({ x, gate, up, out }, context) => product({ label: `gatedLinear ${gate}`, x, weights: [gate, up], out, epilogue: 'gated' }, context)

/** A plan with at most so many rows has matrix-vector products. */
const VECTOR_ROWS = 2
/** Outputs of a workgroup of the matrix-vector kernel. */
const OUTPUTS = 4
/** Rows and outputs of a tile, and the columns that it takes at a time. */
const TILE = 32
const DEPTH = 16

/** One dispatch a shard. */
function product(parts: Product, context: KernelContext): KernelCall[] {
  const weights = parts.weights.map((name) => context.place(name))
  const rows = maxRows(context.place(parts.out), context.limits)
  const call = rows > VECTOR_ROWS ? tileCall : vectorCall
  return cuts(weights).map((cut) => call(parts, weights, cut, context))
}

/** Ranges of outputs that lie in one shard of every weight. */
function cuts(weights: readonly Placed[]): { readonly first: number; readonly end: number; readonly shards: readonly Shard[] }[] {
  const edges = [...new Set(weights.flatMap(({ shards }) => shards.flatMap(({ first, rows }) => [first, first + rows])))].sort((a, b) => a - b)
  return edges.slice(1).map((end, i) => {
    const first = edges[i]
    const shards = weights.map((weight) => weight.shards.find((shard) => shard.first <= first && first < shard.first + shard.rows) ?? weight.shards[0])
    return { first, end, shards }
  })
}

type Cut = ReturnType<typeof cuts>[number]

/** Declarations that both kernels share: `load_x(row, group)`, `load_a(output, group)`, `load_b`, `store(row, output, a, b)`. */
function prelude({ x, out, bias, add, epilogue }: Product, weights: readonly Placed[], { first, shards }: Cut, { place }: KernelContext): { readonly wgsl: string; readonly buffers: readonly BoundBuffer[] } {
  const bindings = createBindings()
  const width = widthOf(place(x))
  const outWidth = widthOf(place(out))
  const aligned = width % 8 === 0
  const xName = bindings.read('x', bufferOf(place(x)), aligned ? 'vec4f' : 'f32')
  const outName = bindings.write('out', bufferOf(place(out)))
  const loads = weights.map(({ layout, decl }, i) => {
    if (layout === undefined) throw new TypeError(`${decl.name} is no matrix`)
    const buffer = bindings.read(`weights_${'ab'[i]}`, shards[i].buffer, 'u32')
    // Outputs are counted over the whole matrix; rows of a shard from its own first.
    return `${loadEightWgsl(`shard_${'ab'[i]}`, buffer, layout, shards[i].rows)}
fn load_${'ab'[i]}(output: u32, group: u32) -> Eight { return shard_${'ab'[i]}(output - ${u32(shards[i].first)}, group); }`
  })
  const biasName = bias === undefined ? undefined : bindings.read('bias', bufferOf(place(bias)))
  const addPlaced = add === undefined ? undefined : place(add)
  const addBuffer = addPlaced?.shards[0].buffer
  // A table of positions is a weight: its words are floats.
  const isTable = addPlaced?.layout !== undefined
  const addName = addBuffer === undefined ? undefined : bindings.read('added', addBuffer, isTable ? 'u32' : 'f32')
  const addAt = isTable ? `bitcast<f32>(${addName}[row * ${u32(addPlaced?.layout?.quantWords ?? 0)} + output])` : `${addName}[at]`
  const loadX = aligned
    ? `fn load_x(row: u32, group: u32) -> Eight {
  let at = row * ${u32(width / 4)} + group * 2;
  return Eight(${xName}[at], ${xName}[at + 1]);
}`
    : `fn value_x(row: u32, column: u32) -> f32 {
  if (column >= ${u32(width)}) { return 0; }
  return ${xName}[row * ${u32(width)} + column];
}
fn load_x(row: u32, group: u32) -> Eight {
  let c = group * 8;
  return Eight(
    vec4f(value_x(row, c), value_x(row, c + 1), value_x(row, c + 2), value_x(row, c + 3)),
    vec4f(value_x(row, c + 4), value_x(row, c + 5), value_x(row, c + 6), value_x(row, c + 7)));
}`
  const store = `fn store(row: u32, output: u32, a: f32, b: f32) {
  let at = row * ${u32(outWidth)} + output;
  var value = a${biasName === undefined ? '' : ` + ${biasName}[output]`};
  ${epilogue === 'none' ? '' : epilogue === 'gelu' ? 'value = gelu(value);' : 'value = gelu(value) * b;'}
  ${addName === undefined ? '' : `value += ${addAt};`}
  ${outName}[at] = value;
}`
  const wgsl = `${bindings.declarations()}
${eightWgsl}
${geluWgsl}
${loadX}
${loads.join('\n')}
${store}
const first_output: u32 = ${u32(first)};`
  return { wgsl, buffers: bindings.buffers }
}

/** tanh overflows to NaN past about 90 on some drivers; it is 1 long before that. */
const geluWgsl = `fn gelu(x: f32) -> f32 {
  return 0.5 * x * (1 + tanh(clamp(0.7978845608028654 * (x + 0.044715 * x * x * x), -15, 15)));
}`

/** A workgroup computes four outputs of one row; its threads share the columns. */
function vectorCall(parts: Product, weights: readonly Placed[], cut: Cut, context: KernelContext): KernelCall {
  const { wgsl, buffers } = prelude(parts, weights, cut, context)
  const out = context.place(parts.out)
  const groups = Math.ceil(widthOf(context.place(parts.x)) / 8)
  const isDual = weights.length === 2
  const sums = ['a', ...(isDual ? ['b'] : [])]
  const grid = spread(Math.ceil((cut.end - cut.first) / OUTPUTS), context.maxWorkgroups)
  return {
    label: parts.label,
    buffers,
    grid: (args) => [grid.columns, grid.rows, rowsOf(out, args)],
    wgsl: `${wgsl}
var<workgroup> partial: array<vec4f, ${THREADS * sums.length}>;

@compute @workgroup_size(${THREADS})
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let output = first_output + (wg.x + wg.y * ${u32(grid.columns)}) * ${OUTPUTS};
  let last = ${u32(cut.end - 1)};
  let row = wg.z;
  ${sums.map((sum) => `var sum_${sum} = vec4f();`).join(' ')}
  for (var group = lane; group < ${u32(groups)}; group += ${THREADS}) {
    let x = load_x(row, group);
    for (var o = 0u; o < ${OUTPUTS}; o++) {
      ${sums.map((sum) => `let w_${sum} = load_${sum}(min(output + o, last), group);
      sum_${sum}[o] += dot(w_${sum}.low, x.low) + dot(w_${sum}.high, x.high);`).join('\n      ')}
    }
  }
  ${sums.map((sum, i) => `partial[lane + ${i * THREADS}] = sum_${sum};`).join(' ')}
  workgroupBarrier();
  // In two steps: barriers cost more than reads.
  if (lane < 8) {
    for (var i = lane + 8; i < ${THREADS}; i += 8) {
      ${sums.map((_, i) => `partial[lane + ${i * THREADS}] += partial[i + ${i * THREADS}];`).join(' ')}
    }
  }
  workgroupBarrier();
  if (lane < ${OUTPUTS} && output + lane <= last) {
    ${sums.map((sum) => `var total_${sum} = 0f;`).join(' ')}
    for (var i = 0u; i < 8; i++) {
      ${sums.map((sum, i) => `total_${sum} += partial[i + ${i * THREADS}][lane];`).join(' ')}
    }
    store(row, output + lane, total_a, ${isDual ? 'total_b' : '0'});
  }
}`,
  }
}

/** A workgroup computes 32 rows × 32 outputs, each thread 4 × 4 of them; columns go through workgroup memory, 16 at a time. */
function tileCall(parts: Product, weights: readonly Placed[], cut: Cut, context: KernelContext): KernelCall {
  const { wgsl, buffers } = prelude(parts, weights, cut, context)
  const out = context.place(parts.out)
  const groups = Math.ceil(widthOf(context.place(parts.x)) / 8)
  const isDual = weights.length === 2
  const sums = ['a', ...(isDual ? ['b'] : [])]
  const grid = spread(Math.ceil((cut.end - cut.first) / TILE), context.maxWorkgroups)
  const four = [0, 1, 2, 3]
  return {
    label: parts.label,
    buffers,
    grid: (args) => [grid.columns, grid.rows, Math.ceil(rowsOf(out, args) / TILE)],
    wgsl: `${wgsl}
// [DEPTH, TILE]
var<workgroup> tile_x: array<f32, ${DEPTH * TILE}>;
${sums.map((sum) => `var<workgroup> tile_${sum}: array<f32, ${DEPTH * TILE}>;`).join('\n')}

@compute @workgroup_size(${THREADS})
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row0 = wg.z * ${TILE};
  let output0 = first_output + (wg.x + wg.y * ${u32(grid.columns)}) * ${TILE};
  let last = ${u32(cut.end - 1)};
  let rows = ${rowsWgsl(out)};
  let line = lane >> 1;
  let half = lane & 1;
  let r0 = (lane >> 3) * 4;
  let o0 = (lane & 7) * 4;
  ${sums.flatMap((sum) => four.map((i) => `var sum_${sum}${i} = vec4f();`)).join(' ')}
  for (var group = 0u; group < ${u32(groups)}; group += 2) {
    // Past the width there is nothing: the last group may be half of a pair.
    var x = Eight();
    ${sums.map((sum) => `var w_${sum} = Eight();`).join(' ')}
    if (group + half < ${u32(groups)}) {
      x = load_x(min(row0 + line, rows - 1), group + half);
      ${sums.map((sum) => `w_${sum} = load_${sum}(min(output0 + line, last), group + half);`).join(' ')}
    }
    workgroupBarrier();
    for (var i = 0u; i < 4; i++) {
      let at = (half * 8 + i) * ${TILE} + line;
      tile_x[at] = x.low[i];
      tile_x[at + ${4 * TILE}] = x.high[i];
      ${sums.map((sum) => `tile_${sum}[at] = w_${sum}.low[i]; tile_${sum}[at + ${4 * TILE}] = w_${sum}.high[i];`).join('\n      ')}
    }
    workgroupBarrier();
    for (var k = 0u; k < ${DEPTH}; k++) {
      let at = k * ${TILE};
      let xs = vec4f(tile_x[at + r0], tile_x[at + r0 + 1], tile_x[at + r0 + 2], tile_x[at + r0 + 3]);
      ${sums.map((sum) => `let ws_${sum} = vec4f(tile_${sum}[at + o0], tile_${sum}[at + o0 + 1], tile_${sum}[at + o0 + 2], tile_${sum}[at + o0 + 3]);
      ${four.map((i) => `sum_${sum}${i} += xs[${i}] * ws_${sum};`).join(' ')}`).join('\n      ')}
    }
  }
  for (var o = 0u; o < 4; o++) {
    if (output0 + o0 + o > last) { break; }
    ${four.map((i) => `if (row0 + r0 + ${i} < rows) { store(row0 + r0 + ${i}, output0 + o0 + o, sum_a${i}[o], ${isDual ? `sum_b${i}[o]` : '0'}); }`).join('\n    ')}
  }
}`,
  }
}
