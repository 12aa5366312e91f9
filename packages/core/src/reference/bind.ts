import type { BufferName, RunArgs, Step, StepOp } from '../backend.ts'
import type { BoundStep } from './executable.ts'
import type { Tensor } from './memory.ts'

export type StepOf<Op extends StepOp> = Extract<Step, { op: Op }>

/** Looks a step's buffers up once, and gives what runs it. */
export type Kernel<Op extends StepOp> = (step: StepOf<Op>, tensor: (name: BufferName) => Tensor) => BoundStep

/** The rows of a buffer in this run. */
export function rowsOf({ decl, values, width }: Tensor, args: RunArgs): number {
  const [first] = decl.shape
  if (first === 'rows') return args.rows
  if (first === 'taken') return args.taken ?? 0
  return values.length / width
}
