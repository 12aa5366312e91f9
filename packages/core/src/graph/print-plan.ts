import type { BufferDecl, Plan, Step } from '../backend.ts'

/**
 * A plan as text, one step a line:
 *
 *     layers.0
 *       rmsNorm        h[rows, 640] ← x[rows, 640], weight layers.0.input_layernorm.weight f32[640], eps 0.000001
 */
export function printPlan(plan: Plan): string {
  const buffers = new Map(plan.buffers.map((buffer) => [buffer.name, buffer]))
  const lines = [`${plan.name}: ${plan.steps.length} steps, rows ≤ ${plan.limits.rows}, taken ≤ ${plan.limits.taken}`]
  for (const section of plan.sections) {
    lines.push(section.name)
    for (const step of plan.steps.slice(section.begin, section.end)) lines.push(`  ${printStep(step, buffers)}`)
  }
  return `${lines.join('\n')}\n`
}

function printStep(step: Step, buffers: ReadonlyMap<string, BufferDecl>): string {
  const show = (value: unknown): string => {
    const buffer = typeof value === 'string' ? buffers.get(value) : undefined
    if (buffer === undefined) return String(value)
    return `${buffer.name}${buffer.role === 'scratch' ? '' : ` ${buffer.dtype}`}[${buffer.shape.join(', ')}]`
  }
  const { op, ...fields } = step
  const out = 'out' in fields ? [show(fields.out)] : []
  const rest = Object.entries(fields).flatMap(([field, value]) =>
    field === 'out' ? [] : [field === 'x' ? show(value) : `${field} ${show(value)}`],
  )
  return `${op.padEnd(14)} ${[...out, rest.join(', ')].join(' ← ')}`
}
