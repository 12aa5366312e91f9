/** A block a row. */
import type { Step } from '@facetjs/core/backend'
import type { Launch } from '../launch.ts'
import { outputOf } from './forms.ts'
import { cacheSuffix, f32, i32, type Kernel, type KernelContext, launch, none, pointer, rowsOf, run, widthOf } from './kernel.ts'

export type RmsNormStep = Extract<Step, { op: 'rmsNorm' }>

/** Of a block. */
const NORM_THREADS = 256
/** A warp a head. */
const HEADS = 4

export const rmsNorm: Kernel<'rmsNorm'> = (step, context) => [rmsNorms([step], context)]

/** A norm, or two of which the second is of what the first gives. */
export function rmsNorms([norm, next]: readonly RmsNormStep[], context: KernelContext): Launch {
  const { decl } = context
  const { x, weight, residual, out, eps } = norm
  const { floats, codes } = outputOf((next ?? norm).out, context)
  return launch({
    module: 'rms-norm', kernel: 'rms_norm', blockThreads: NORM_THREADS,
    grid: (shape) => [rowsOf(decl(out), shape), 1, 1],
    args: [
      run, pointer(x), pointer(weight), pointer(residual), next === undefined ? floats : pointer(out), pointer(next?.weight), next === undefined ? none : floats, ...codes,
      i32(widthOf(decl(out))), f32(eps), f32(next?.eps ?? 0),
    ],
    writes: [out, ...(next === undefined ? [] : [next.out])],
  })
}

export const layerNorm: Kernel<'layerNorm'> = ({ x, weight, bias, out, eps }, { decl }) => [
  launch({
    module: 'layer-norm', kernel: 'layer_norm', blockThreads: NORM_THREADS,
    grid: (shape) => [rowsOf(decl(out), shape), 1, 1],
    args: [run, pointer(x), pointer(weight), pointer(bias), pointer(out), i32(widthOf(decl(out))), f32(eps)],
    writes: [out],
  }),
]

export const normRopeStore: Kernel<'normRopeStore'> = ({ q, k, v, qNorm, kNorm, rope, kCache, vCache, eps }, { decl }) => {
  const headDim = Number(decl(qNorm).shape[0])
  const [heads, kvHeads] = [widthOf(decl(q)) / headDim, widthOf(decl(k)) / headDim]
  return [
    launch({
      module: 'norm-rope-store', kernel: `norm_rope_store_${cacheSuffix(decl(kCache))}`, blockThreads: HEADS * 32,
      grid: (shape) => [Math.ceil((heads + 2 * kvHeads) / HEADS), rowsOf(decl(q), shape), 1],
      args: [
        run, pointer(q), pointer(k), pointer(v), pointer(qNorm), pointer(kNorm), pointer(rope), pointer(kCache), pointer(vCache),
        i32(heads), i32(kvHeads), i32(headDim), i32(Number(decl(kCache).shape[0])), f32(eps),
      ],
      writes: [q, kCache, vCache],
    }),
  ]
}
