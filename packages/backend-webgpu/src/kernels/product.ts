/** What the matrix kernels share: weights and inputs as the threads load them, sums as they are stored. */
import type { BufferName } from '@facetjs/core/backend'
import { type Bindings, bufferOf, type KernelContext, type Placed, type Shard, u32, widthOf } from './kernel.ts'
import { eightWgsl, loadEightWgsl } from './weights.wgsl.ts'

/** What becomes of a sum. `a`: x · weightᵀ; `b`: x · upᵀ of a gated product. */
export interface Product {
  readonly label: string
  readonly x: BufferName
  readonly weights: readonly BufferName[]
  readonly out: BufferName
  readonly bias?: BufferName
  readonly add?: BufferName
  readonly epilogue: 'none' | 'gelu' | 'gated'
}

/** Outputs [first, end), which lie in one shard of every weight. */
export interface Cut {
  readonly first: number
  readonly end: number
  readonly weights: readonly (Placed & { readonly shard: Shard })[]
}

export function cutsOf({ weights }: Product, { place }: KernelContext): Cut[] {
  const placed = weights.map((name) => place(name))
  const edges = [...new Set(placed.flatMap(({ shards }) => shards.flatMap(({ first, rows }) => [first, first + rows])))].sort((a, b) => a - b)
  return edges.slice(1).map((end, i) => {
    const first = edges[i]
    return { first, end, weights: placed.map((weight) => ({ ...weight, shard: weight.shards.find((shard) => shard.first <= first && first < shard.first + shard.rows) ?? weight.shards[0] })) }
  })
}

/** A sum for each weight: the names of the variables. */
export const sumsOf = ({ weights }: Product): readonly ('a' | 'b')[] => (weights.length === 2 ? ['a', 'b'] : ['a'])

export const groupsOf = ({ x }: Product, { place }: KernelContext): number => Math.ceil(widthOf(place(x)) / 8)

/** `fn load_x(row: u32, group: u32) -> Eight`, and what products need once a module. */
export function inputWgsl(bindings: Bindings, x: Placed): string {
  const width = widthOf(x)
  const aligned = width % 8 === 0
  const name = bindings.read('x', bufferOf(x), aligned ? 'vec4f' : 'f32')
  const load = aligned
    ? `fn load_x(row: u32, group: u32) -> Eight {
  let at = row * ${u32(width / 4)} + group * 2;
  return Eight(${name}[at], ${name}[at + 1]);
}`
    : `fn value_x(row: u32, column: u32) -> f32 {
  if (column >= ${u32(width)}) { return 0; }
  return ${name}[row * ${u32(width)} + column];
}
fn load_x(row: u32, group: u32) -> Eight {
  let c = group * 8;
  return Eight(
    vec4f(value_x(row, c), value_x(row, c + 1), value_x(row, c + 2), value_x(row, c + 3)),
    vec4f(value_x(row, c + 4), value_x(row, c + 5), value_x(row, c + 6), value_x(row, c + 7)));
}`
  return [eightWgsl, geluWgsl, load].join('\n')
}

/**
 * `fn load_a<n>(output: u32, group: u32) -> Eight`, `load_b<n>` of a gated product, and `fn store<n>(row: u32, output: u32, a: f32, b: f32)`,
 * where n tells the products of a module apart.
 */
export function productWgsl(bindings: Bindings, product: Product, { weights }: Cut, { place }: KernelContext, n: number): string {
  const { out, bias, add, epilogue } = product
  const sums = sumsOf(product)
  const outName = bindings.write(`out${n}`, bufferOf(place(out)))
  const loads = weights.map(({ layout, decl, shard }, i) => {
    if (layout === undefined) throw new TypeError(`${decl.name} is no matrix`)
    const buffer = bindings.read(`weights_${sums[i]}${n}`, shard.buffer, 'u32')
    // Outputs are counted over the whole matrix; rows of a shard from its own first.
    return `${loadEightWgsl(`shard_${sums[i]}${n}`, buffer, layout, shard.rows)}
fn load_${sums[i]}${n}(output: u32, group: u32) -> Eight { return shard_${sums[i]}${n}(output - ${u32(shard.first)}, group); }`
  })
  const biasName = bias === undefined ? undefined : bindings.read(`bias${n}`, bufferOf(place(bias)))
  const added = add === undefined ? undefined : place(add)
  // A table of positions is a weight: its words are floats.
  const isTable = added?.layout !== undefined
  const addName = added === undefined ? undefined : bindings.read(`added${n}`, bufferOf(added), isTable ? 'u32' : 'f32')
  const addAt = isTable ? `bitcast<f32>(${addName}[row * ${u32(added?.layout?.quantWords ?? 0)} + output])` : `${addName}[at]`
  return `${loads.join('\n')}
fn store${n}(row: u32, output: u32, a: f32, b: f32) {
  let at = row * ${u32(widthOf(place(out)))} + output;
  var value = a${biasName === undefined ? '' : ` + ${biasName}[output]`};
  ${epilogue === 'none' ? '' : epilogue === 'gelu' ? 'value = gelu(value);' : 'value = gelu(value) * b;'}
  ${addName === undefined ? '' : `value += ${addAt};`}
  ${outName}[at] = value;
}`
}

/** tanh overflows to NaN past about 90 on some drivers; it is 1 long before that. */
const geluWgsl = `fn gelu(x: f32) -> f32 {
  return 0.5 * x * (1 + tanh(clamp(0.7978845608028654 * (x + 0.044715 * x * x * x), -15, 15)));
}`
