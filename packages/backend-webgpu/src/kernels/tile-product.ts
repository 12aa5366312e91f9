import { createBindings, type KernelCall, type KernelContext, maxRows, rowsOf, rowsWgsl, spread, THREADS, u32 } from './kernel.ts'
import { type Cut, groupsOf, inputWgsl, type Product, productWgsl, sumsOf } from './product.ts'

/** Rows of a block, and outputs of a tile: each thread has 4 × 4, 8 apart, so that neighbours are neighbours in memory. */
const BLOCK = 32
/** Groups of 8 columns that go through workgroup memory at a time. */
const GROUPS = 2
/** Fours of values from a line of a tile to the next: one more than it has, so that lines begin in different banks. */
const STRIDE = 2 * GROUPS + 1

/**
 * Matrix times matrix: a workgroup computes 32 outputs of 32 rows; with halves, which take less room, of 64 where a plan has so many
 * (but not of a gated product, which has two sums an output).
 *
 * With halves, tiles and products are f16, and sums of 8 products go on in f32. The inputs may be anything (activations have no
 * bound), so each 8 of a row are divided by their greatest: a sum of 8 stays in range for weights up to 8000, and what is lost of small
 * inputs is small beside the greatest of the same sum. The f32 sums take the greatest back in.
 */
export function tileCall(product: Product, cut: Cut, context: KernelContext): KernelCall {
  const { place, limits, features: { f16 }, maxWorkgroups } = context
  const bindings = createBindings()
  const out = place(product.out)
  const groups = groupsOf(product, context)
  const sums = sumsOf(product)
  const blocks = f16 && sums.length === 1 && maxRows(out, limits) > BLOCK ? [0, 1] : [0]
  const rowsOfTile = BLOCK * blocks.length
  const grid = spread(Math.ceil((cut.end - cut.first) / BLOCK), maxWorkgroups)
  const [scalar, vector] = f16 ? ['f16', 'vec4h'] : ['f32', 'vec4f']
  // Halves add up 8 products before they go on; f32 needs no such sums.
  const chain = f16 ? 2 : 1
  const parts = [0, 1].slice(0, chain)
  /** A second block is left out where the run has no rows for it. */
  const each = (code: (block: number) => string): string => blocks.map((block) => (block === 0 ? code(block) : `if (has_second) {\n      ${code(block)}\n      }`)).join('\n      ')
  const input = inputWgsl(bindings, place(product.x))
  const body = productWgsl(bindings, product, cut, context, 0)
  return {
    label: product.label,
    buffers: bindings.buffers,
    grid: (args) => [grid.columns, grid.rows, Math.ceil(rowsOf(out, args) / rowsOfTile)],
    wgsl: `${bindings.declarations({ f16 })}
${input}
${body}
// [rows or outputs, columns]
var<workgroup> tile_x: array<${vector}, ${rowsOfTile * STRIDE}>;
${sums.map((sum) => `var<workgroup> tile_${sum}: array<${vector}, ${BLOCK * STRIDE}>;`).join('\n')}
${f16 ? `// The greatest of each group of columns. [rows, groups]
var<workgroup> greatest_x: array<f32, ${rowsOfTile * GROUPS}>;` : ''}

fn put_x(line: u32, group: u32, x: Eight) {
  ${f16 ? `let both = max(abs(x.low), abs(x.high));
  let greatest = max(max(max(both.x, both.y), max(both.z, both.w)), 1e-30f);
  greatest_x[line * ${GROUPS} + group] = greatest;
  let scale = 1 / greatest;` : 'let scale = 1f;'}
  tile_x[line * ${STRIDE} + group * 2] = ${vector}(x.low * scale);
  tile_x[line * ${STRIDE} + group * 2 + 1] = ${vector}(x.high * scale);
}

@compute @workgroup_size(${THREADS})
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row0 = wg.z * ${rowsOfTile};
  let output0 = ${u32(cut.first)} + (wg.x + wg.y * ${u32(grid.columns)}) * ${BLOCK};
  let last = ${u32(cut.end - 1)};
  let rows = ${rowsWgsl(out)};
  let has_second = row0 + ${BLOCK} < rows;
  // What the thread loads, and what it computes.
  let line = lane / ${GROUPS};
  let mine = lane % ${GROUPS};
  let r = lane >> 3;
  let o = lane & 7;
${sums.map((sum) => `  var sums_${sum} = array<vec4f, ${4 * blocks.length}>();`).join('\n')}
  for (var group = 0u; group < ${u32(groups)}; group += ${GROUPS}) {
    // Past the width there is nothing: the last group may be half of a pair.
    ${blocks.map((block) => `var x${block} = Eight();`).join(' ')}
    ${sums.map((sum) => `var w_${sum} = Eight();`).join(' ')}
    if (group + mine < ${u32(groups)}) {
      ${each((block) => `x${block} = load_x(min(row0 + line + ${block * BLOCK}, rows - 1), group + mine);`)}
      ${sums.map((sum) => `w_${sum} = load_${sum}0(min(output0 + line, last), group + mine);`).join(' ')}
    }
    workgroupBarrier();
    ${blocks.map((block) => `put_x(line + ${block * BLOCK}, mine, x${block});`).join(' ')}
    ${sums.flatMap((sum) => ['low', 'high'].map((part, i) => `tile_${sum}[line * ${STRIDE} + mine * 2 + ${i}] = ${vector}(w_${sum}.${part});`)).join(' ')}
    workgroupBarrier();
    for (var c = 0u; c < ${2 * GROUPS}; c += ${chain}) {
      ${sums.flatMap((sum) => parts.map((part) => `let ${sum}${part} = mat4x4<${scalar}>(${[0, 8, 16, 24].map((apart) => `tile_${sum}[(o + ${apart}) * ${STRIDE} + c + ${part}]`).join(', ')});`)).join('\n      ')}
      ${each((block) => `for (var i = ${4 * block}u; i < ${4 * block + 4}; i++) {
        let at = r + i * 8;
        ${parts.map((part) => `let x${part} = tile_x[at * ${STRIDE} + c + ${part}];`).join(' ')}
        ${sums.map((sum) => `sums_${sum}[i] += vec4f(${parts.map((part) => `x${part} * ${sum}${part}`).join(' + ')})${f16 ? ` * greatest_x[at * ${GROUPS} + c / 2]` : ''};`).join('\n        ')}
      }`)}
    }
  }
  for (var i = 0u; i < ${4 * blocks.length}; i++) {
    let row = row0 + r + i * 8;
    for (var j = 0u; j < 4; j++) {
      let output = output0 + o + j * 8;
      if (row < rows && output <= last) { store0(row, output, sums_a[i][j], ${sums.length === 2 ? 'sums_b[i][j]' : '0'}); }
    }
  }
}`,
  }
}
