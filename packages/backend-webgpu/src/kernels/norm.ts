import { bufferOf, createBindings, f32, type Kernel, rowsOf, THREADS, u32, widthOf } from './kernel.ts'

/** `fn reduce(lane, value) -> f32`: the sum over a workgroup's threads, for all of them. In two steps: barriers cost more than reads. */
export const reduceWgsl: string = `var<workgroup> partial: array<f32, ${THREADS}>;
fn reduce(lane: u32, value: f32) -> f32 {
  workgroupBarrier();
  partial[lane] = value;
  workgroupBarrier();
  var sum = 0f;
  if (lane < 8) {
    for (var i = lane; i < ${THREADS}; i += 8) { sum += partial[i]; }
  }
  workgroupBarrier();
  if (lane < 8) { partial[lane] = sum; }
  workgroupBarrier();
  sum = 0;
  for (var i = 0u; i < 8; i++) { sum += partial[i]; }
  return sum;
}`

/** A workgroup a row. */
export const rmsNorm: Kernel<'rmsNorm'> = ({ x, weight, out, residual, eps }, { place }) => {
  const bindings = createBindings()
  const [placed, width] = [place(out), widthOf(place(out))]
  const outName = bindings.write('out', bufferOf(placed))
  const xName = bindings.read('x', bufferOf(place(x)))
  const weightName = bindings.read('weight', bufferOf(place(weight)))
  const residualName = residual === undefined ? undefined : bindings.read('residual', bufferOf(place(residual)))
  return [
    {
      label: `rmsNorm ${weight}`,
      buffers: bindings.buffers,
      grid: (args) => [rowsOf(placed, args), 1, 1],
      wgsl: `${bindings.declarations()}
${reduceWgsl}

@compute @workgroup_size(${THREADS})
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let start = wg.x * ${u32(width)};
  var squares = 0f;
  for (var i = lane; i < ${u32(width)}; i += ${THREADS}) {
    let value = ${xName}[start + i];
    squares += value * value;
  }
  let scale = inverseSqrt(reduce(lane, squares) / ${f32(width)} + ${f32(eps)});
  for (var i = lane; i < ${u32(width)}; i += ${THREADS}) {
    ${outName}[start + i] = ${xName}[start + i] * scale * ${weightName}[i]${residualName === undefined ? '' : ` + ${residualName}[start + i]`};
  }
}`,
    },
  ]
}

/** A workgroup a row. */
export const layerNorm: Kernel<'layerNorm'> = ({ x, weight, bias, out, eps }, { place }) => {
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
      wgsl: `${bindings.declarations()}
${reduceWgsl}

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
