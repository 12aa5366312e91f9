import { createBindings, type KernelCall, type KernelContext, rowsOf, spread, THREADS, u32 } from './kernel.ts'
import { type Cut, groupsOf, inputWgsl, type Product, productWgsl, sumsOf } from './product.ts'
import { reduceWgsl } from './reduce.wgsl.ts'

/** Outputs of a workgroup. */
const OUTPUTS = 4

/** Matrix times vector, for one input any number of them: a workgroup computes four outputs of one row; its threads share the columns. */
export function vectorCall(products: readonly (readonly [Product, Cut])[], context: KernelContext): KernelCall {
  const { place, features, maxWorkgroups } = context
  const [[first]] = products
  const groups = groupsOf(first, context)
  const bindings = createBindings()
  const input = inputWgsl(bindings, place(first.x))
  // Workgroups up to and with those of each product.
  let workgroups = 0
  const parts = products.map(([product, cut], n) => {
    const begin = workgroups
    workgroups += Math.ceil((cut.end - cut.first) / OUTPUTS)
    return { wgsl: `${productWgsl(bindings, product, cut, context, n)}\n${rowWgsl(product, cut, groups, n)}`, begin, end: workgroups }
  })
  const grid = spread(workgroups, maxWorkgroups)
  return {
    label: products.map(([{ label }]) => label).join(', '),
    buffers: bindings.buffers,
    grid: (args) => [grid.columns, grid.rows, rowsOf(place(first.out), args)],
    wgsl: `${bindings.declarations(features)}
${reduceWgsl(features, { name: 'reduce', op: 'add', type: 'vec4f' })}
${input}
${parts.map(({ wgsl }) => wgsl).join('\n')}

@compute @workgroup_size(${THREADS})
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let at = wg.x + wg.y * ${u32(grid.columns)};
  ${parts.map(({ begin, end }, n) => `${n === parts.length - 1 ? '' : `if (at < ${u32(end)}) `}{ product${n}(lane, wg.z, at - ${u32(begin)}); }`).join('\n  else ')}
}`,
  }
}

function rowWgsl(product: Product, { first, end }: Cut, groups: number, n: number): string {
  const sums = sumsOf(product)
  return `fn product${n}(lane: u32, row: u32, at: u32) {
  let output = ${u32(first)} + at * ${OUTPUTS};
  let last = ${u32(end - 1)};
  ${sums.map((sum) => `var sum_${sum} = vec4f();`).join(' ')}
  for (var group = lane; group < ${u32(groups)}; group += ${THREADS}) {
    let x = load_x(row, group);
    for (var o = 0u; o < ${OUTPUTS}; o++) {
      ${sums.map((sum) => `let w_${sum} = load_${sum}${n}(min(output + o, last), group);
      sum_${sum}[o] += dot(w_${sum}.low, x.low) + dot(w_${sum}.high, x.high);`).join('\n      ')}
    }
  }
  ${sums.map((sum) => `let total_${sum} = reduce(lane, sum_${sum});`).join('\n  ')}
  if (lane < ${OUTPUTS} && output + lane <= last) { store${n}(row, output + lane, total_a[lane], ${sums.length === 2 ? 'total_b[lane]' : '0'}); }
}`
}
