import type { Step } from '@facetjs/core/backend'
import { bufferOf, createBindings, f32, type Kernel, type KernelCall, type KernelContext, rowsOf, THREADS, u32, widthOf } from './kernel.ts'
import { reduceWgsl } from './reduce.wgsl.ts'

export type RmsNormStep = Extract<Step, { op: 'rmsNorm' }>

export const rmsNorm: Kernel<'rmsNorm'> = (step, context) => rmsNorms([step], context)

/** Each goes on from what the one before wrote. A workgroup a row; a thread reads of it only what it wrote itself. */
export function rmsNorms(steps: readonly RmsNormStep[], { place, features }: KernelContext): readonly KernelCall[] {
  const bindings = createBindings()
  const placed = place(steps[0].out)
  const width = widthOf(placed)
  const norms = steps.map(({ x, weight, out, residual, eps }, n) => {
    const outName = bindings.write(`out${n}`, bufferOf(place(out)))
    const xName = bindings.read(`x${n}`, bufferOf(place(x)))
    const weightName = bindings.read(`weight${n}`, bufferOf(place(weight)))
    const residualName = residual === undefined ? undefined : bindings.read(`residual${n}`, bufferOf(place(residual)))
    return `  squares = 0;
  for (var i = lane; i < ${u32(width)}; i += ${THREADS}) {
    let value = ${xName}[start + i];
    squares += value * value;
  }
  scale = inverseSqrt(reduce(lane, squares) / ${f32(width)} + ${f32(eps)});
  for (var i = lane; i < ${u32(width)}; i += ${THREADS}) {
    ${outName}[start + i] = ${xName}[start + i] * scale * ${weightName}[i]${residualName === undefined ? '' : ` + ${residualName}[start + i]`};
  }`
  })
  return [
    {
      label: steps.map(({ weight }) => `rmsNorm ${weight}`).join(', '),
      buffers: bindings.buffers,
      grid: (args) => [rowsOf(placed, args), 1, 1],
      wgsl: `${bindings.declarations(features)}
${reduceWgsl(features, { name: 'reduce', op: 'add', type: 'f32' })}

@compute @workgroup_size(${THREADS})
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let start = wg.x * ${u32(width)};
  var squares = 0f;
  var scale = 0f;
${norms.join('\n')}
}`,
    },
  ]
}

/** A workgroup a row. */
export const layerNorm: Kernel<'layerNorm'> = ({ x, weight, bias, out, eps }, { place, features }) => {
  const bindings = createBindings()
  const [placed, width] = [place(out), widthOf(place(out))]
  const outName = bindings.write('out', bufferOf(placed))
  const xName = bindings.read('x', bufferOf(place(x)))
  const weightName = bindings.read('weight', bufferOf(place(weight)))
  const biasName = bindings.read('bias', bufferOf(place(bias)))
  return [
    {
      label: `layerNorm ${weight}`,
      buffers: bindings.buffers,
      grid: (args) => [rowsOf(placed, args), 1, 1],
      wgsl: `${bindings.declarations(features)}
${reduceWgsl(features, { name: 'reduce', op: 'add', type: 'f32' })}

@compute @workgroup_size(${THREADS})
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let start = wg.x * ${u32(width)};
  var sum = 0f;
  for (var i = lane; i < ${u32(width)}; i += ${THREADS}) { sum += ${xName}[start + i]; }
  let mean = reduce(lane, sum) / ${f32(width)};
  var squares = 0f;
  for (var i = lane; i < ${u32(width)}; i += ${THREADS}) {
    let value = ${xName}[start + i] - mean;
    squares += value * value;
  }
  let scale = inverseSqrt(reduce(lane, squares) / ${f32(width)} + ${f32(eps)});
  for (var i = lane; i < ${u32(width)}; i += ${THREADS}) {
    ${outName}[start + i] = (${xName}[start + i] - mean) * scale * ${weightName}[i] + ${biasName}[i];
  }
}`,
    },
  ]
}
