import type { BufferDecl, BufferName, Dim, DType, RowLimits, Step } from '../backend.ts'
import { GemmaError } from '../errors.ts'

type Lookup = (name: BufferName) => BufferDecl | undefined

/** Checks the shapes and types of one step, so that a backend may rely on them. @throws GemmaError `internal`. */
export function checkStep(step: Step, lookup: Lookup, limits: RowLimits): void {
  const fail = (problem: string): never => {
    throw new GemmaError('internal', `Step ${step.op}: ${problem}. Correct the plan.`)
  }
  const decl = (name: BufferName): BufferDecl => lookup(name) ?? fail(`buffer ${name} is not declared`)
  const want = (name: BufferName, shape: readonly Dim[], dtype: DType | 'weight' = 'f32'): void => {
    const found = decl(name)
    if (found.shape.join() !== shape.join()) fail(`${name} should be [${shape.join(', ')}] and is [${found.shape.join(', ')}]`)
    if (dtype === 'weight') {
      if (found.role !== 'weight' && found.dtype !== 'f32') fail(`${name} should be a weight`)
    } else if (found.dtype !== dtype && !(found.role === 'kv' && found.dtype === 'f16')) {
      fail(`${name} should be ${dtype} and is ${found.dtype}`)
    }
  }
  const matrix = (name: BufferName): [rows: Dim, width: number] => {
    const [rows, width, ...rest] = decl(name).shape
    if (rows === undefined || typeof width !== 'number' || rest.length > 0) return fail(`${name} should be a matrix and is [${decl(name).shape.join(', ')}]`)
    return [rows, width]
  }
  const fits = (condition: boolean, problem: string): void => {
    if (!condition) fail(problem)
  }

  switch (step.op) {
    case 'embed': {
      const [rows, width] = matrix(step.out)
      want(step.ids, [rows], 'i32')
      want(step.table, [matrix(step.table)[0], width], 'weight')
      return
    }
    case 'placeRows': {
      const [rows, width] = matrix(step.out)
      want(step.source, [matrix(step.source)[0], width])
      want(step.index, [rows], 'i32')
      return
    }
    case 'rmsNorm': {
      const shape = matrix(step.out)
      want(step.x, shape)
      want(step.weight, [shape[1]])
      if (step.residual !== undefined) want(step.residual, shape)
      return
    }
    case 'layerNorm': {
      const shape = matrix(step.out)
      want(step.x, shape)
      want(step.weight, [shape[1]])
      want(step.bias, [shape[1]])
      return
    }
    case 'linear': {
      const [rows, outWidth] = matrix(step.out)
      const [xRows, inWidth] = matrix(step.x)
      fits(xRows === rows, `${step.x} and ${step.out} differ in rows`)
      want(step.weight, [outWidth, inWidth], 'weight')
      fits(step.out !== step.x, `${step.out} cannot be its own input`)
      if (step.bias !== undefined) want(step.bias, [outWidth])
      if (step.add !== undefined) {
        const [addRows] = matrix(step.add)
        const enough = typeof addRows === 'number' && addRows >= (typeof rows === 'number' ? rows : limits[rows])
        want(step.add, [addRows === rows || enough ? addRows : rows, outWidth])
      }
      return
    }
    case 'gatedLinear': {
      const [rows, outWidth] = matrix(step.out)
      const [xRows, inWidth] = matrix(step.x)
      fits(xRows === rows, `${step.x} and ${step.out} differ in rows`)
      want(step.gate, [outWidth, inWidth], 'weight')
      want(step.up, [outWidth, inWidth], 'weight')
      return
    }
    case 'normRopeStore': {
      const headDim = decl(step.qNorm).shape[0]
      if (typeof headDim !== 'number' || headDim % 2 !== 0) return fail(`${step.qNorm} should have an even, constant width`)
      const [rows, qWidth] = matrix(step.q)
      const [, kvWidth] = matrix(step.k)
      fits(qWidth % headDim === 0 && kvWidth % headDim === 0, `q and k should be whole heads of ${headDim}`)
      want(step.k, [rows, kvWidth])
      want(step.v, [rows, kvWidth])
      want(step.qNorm, [headDim])
      want(step.kNorm, [headDim])
      want(step.rope, [rows, headDim])
      const [capacity] = matrix(step.kCache)
      fits(typeof capacity === 'number' && capacity >= limits.rows, `${step.kCache} is smaller than one run`)
      want(step.kCache, [capacity, kvWidth])
      want(step.vCache, [capacity, kvWidth])
      return
    }
    case 'attention': {
      const [rows, qWidth] = matrix(step.q)
      const [capacity, kvWidth] = matrix(step.k)
      fits(qWidth % step.headDim === 0 && kvWidth % step.headDim === 0, `q and k should be whole heads of ${step.headDim}`)
      fits((qWidth / step.headDim) % (kvWidth / step.headDim) === 0, 'query heads should be a multiple of kv heads')
      want(step.v, [capacity, kvWidth])
      want(step.out, [rows, qWidth])
      want(step.begin, [rows], 'i32')
      want(step.end, [rows], 'i32')
      if (step.probabilities !== undefined) want(step.probabilities, [rows, qWidth / step.headDim, capacity])
      return
    }
    case 'avgPool': {
      const [inRows, width] = matrix(step.x)
      const [outRows, outWidth] = matrix(step.out)
      const side = Math.sqrt(typeof inRows === 'number' ? inRows : limits[inRows])
      fits(Number.isInteger(side) && side % step.size === 0, `${step.x} should be a square grid that ${step.size} divides`)
      fits(outRows === (side / step.size) ** 2 && outWidth === width, `${step.out} should be [${(side / step.size) ** 2}, ${width}]`)
      return
    }
    case 'takeRows': {
      const [rows, width] = matrix(step.out)
      want(step.x, [matrix(step.x)[0], width])
      want(step.index, [rows], 'i32')
      return
    }
    case 'topK': {
      const [rows, vocabSize] = matrix(step.logits)
      const [, count] = matrix(step.ids)
      fits(count <= vocabSize, `${count} candidates of ${vocabSize} logits`)
      want(step.ids, [rows, count], 'i32')
      want(step.values, [rows, count])
      want(step.logSumExp, [rows])
      want(step.mask, [Math.ceil(vocabSize / 32)], 'u32')
      const [most] = matrix(step.adjust)
      want(step.adjust, [most, 3])
      want(step.adjustIds, [most], 'i32')
      return
    }
    case 'sample': {
      const [rows, count] = matrix(step.ids)
      fits(count <= step.vocabSize, `${count} candidates of ${step.vocabSize} tokens`)
      want(step.ids, [rows, count], 'i32')
      want(step.values, [rows, count])
      want(step.logSumExp, [rows])
      want(step.settings, [4])
      want(step.u, [rows])
      want(step.out, [rows], 'i32')
      want(step.next, ['rows'], 'i32')
      return
    }
    default:
      return step satisfies never
  }
}
