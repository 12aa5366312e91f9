import type { Checkpoint } from '../packages/core/src/index.ts'
import type { Plan, RowLimits, Step, WeightType } from '../packages/core/src/backend-api.ts'
import { kvLayout, planBytes, textPlan } from '../packages/core/src/inspect.ts'

export interface ModelFacts {
  /** Multiply-accumulates of a prompt token: all linear steps but the head, which only the last one needs. */
  readonly macsPerPromptToken: number
  /** What one decoded token reads: every weight once, in the file's encodings. KV is not counted. */
  readonly weightBytesPerToken: number
}

export function modelPlan(checkpoint: Checkpoint, limits: RowLimits, contextLength: number, chunk: number, kvType: 'f32' | 'f16' = 'f32'): Plan {
  const { text } = checkpoint.config
  const weightType = (name: string): WeightType => {
    const tensor = checkpoint.tensors.get(name)
    if (tensor === undefined) throw new Error(`${checkpoint.name} has no tensor ${name}.`)
    return tensor.type
  }
  return textPlan(text, { name: `rows ${limits.rows}`, limits, kv: kvLayout(text, contextLength, chunk), kvType, weightType })
}

export function modelFacts(checkpoint: Checkpoint): ModelFacts {
  const plan = modelPlan(checkpoint, { rows: 1, taken: 1 }, 1024, 512)
  const head = plan.sections.findIndex(({ name }) => name === 'norm')
  return {
    macsPerPromptToken: plan.steps.slice(0, plan.sections[head].begin).reduce((sum, step) => sum + macsPerRow(step, plan), 0),
    weightBytesPerToken: planBytes(plan).weights,
  }
}

/** Weights that a step multiplies with, by name. */
export function matricesOf(step: Step): string[] {
  if (step.op === 'linear') return [step.weight]
  return step.op === 'gatedLinear' ? [step.gate, step.up] : []
}

export function macsPerRow(step: Step, plan: Plan): number {
  return matricesOf(step).reduce((sum, name) => sum + shapeOf(plan, name).reduce((product, dim) => product * dim, 1), 0)
}

/** Of a buffer without variable dimensions. */
function shapeOf(plan: Plan, name: string): number[] {
  const shape = plan.buffers.find((buffer) => buffer.name === name)?.shape ?? []
  return shape.filter((dim) => typeof dim === 'number')
}
