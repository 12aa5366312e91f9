/** Looking inside: plans, module trees, memory and traces, for people who port, debug or explain models. */
export { type KvLayout, kvLayout } from './graph/kv-layout.ts'
export { estimateKv, type MemoryEstimateOptions, planBytes } from './graph/memory-plan.ts'
export * from './graph/module-tree.ts'
export { slicePlan } from './graph/plan-builder.ts'
export { printPlan } from './graph/print-plan.ts'
export { textPlan, type TextPlanOptions } from './graph/text-plan.ts'
export { trace, type TraceOptions } from './session/trace.ts'
export { type NamedTensor, type NamedTensors, writeSafetensors } from './weights/write-safetensors.ts'
