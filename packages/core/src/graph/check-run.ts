import type { BufferData, BufferDecl, BufferName, Plan, RowLimits, RunArgs } from '../backend.ts'
import { GemmaError } from '../errors.ts'
import { elementCount, shapeOf } from './memory-plan.ts'

/** @throws GemmaError `internal` where a run goes beyond what its plan was allocated for. */
export function checkRun(plan: Plan, { rows, taken = 0, position }: RunArgs): void {
  const { limits } = plan
  if (!(rows >= 1 && rows <= limits.rows && taken >= 0 && taken <= limits.taken && position >= 0)) {
    throw new GemmaError('internal', `Plan ${plan.name} was run with rows ${rows} (at most ${limits.rows}), taken ${taken} (at most ${limits.taken}), position ${position}. Keep to its limits.`)
  }
}

/** @throws GemmaError `internal` where data of one type is written to or read from a buffer of another. */
export function checkSameType(name: BufferName, values: BufferData, data: BufferData): void {
  if (values.constructor !== data.constructor) {
    throw new GemmaError('internal', `Buffer ${name} holds ${values.constructor.name}, not ${data.constructor.name}. Pass the same type.`)
  }
}

/** Where `length` values from row `row` on begin in a dense buffer. @throws GemmaError `internal` where they are outside of it */
export function checkSpan(decl: BufferDecl, limits: RowLimits, length: number, row: number): number {
  const [, ...inner] = shapeOf(decl, limits)
  const start = row * inner.reduce((product, dim) => product * dim, 1)
  const count = elementCount(decl, limits)
  if (!Number.isInteger(row) || row < 0 || start + length > count) {
    throw new GemmaError('internal', `Buffer ${decl.name} has ${count} values; ${length} from row ${row} are outside of it. Correct the row.`)
  }
  return start
}
