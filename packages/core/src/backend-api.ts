/** For whoever writes a backend: the seam's types, and the few helpers that every backend needs. */
export type * from './backend.ts'
export { GemmaError } from './errors.ts'
export { checkRun, checkSameType, checkSpan } from './graph/check-run.ts'
export { dtypeBytes, elementCount, shapeOf } from './graph/memory-plan.ts'
export { buffersOf, writtenBy } from './graph/plan-builder.ts'
export { createTaskQueue, type TaskQueue } from './task-queue.ts'
export { f16ToF32, f32ToF16 } from './weights/half.ts'
export { encodedByteLength, isWeightType } from './weights/weight-types.ts'
