import { type BufferDecl, GemmaError, type Plan } from '@facetjs/core/backend'
import type { LaunchOptions, SectionLaunches } from '../launch.ts'
import { createFlow } from './flow.ts'
import { sectionLaunches } from './sections.ts'

/** What each section of the plan launches, in order. */
export function planLaunches(plan: Plan, options: LaunchOptions): readonly SectionLaunches[] {
  const decls = new Map(plan.buffers.map((buffer) => [buffer.name, buffer]))
  const decl = (name: string): BufferDecl => {
    const found = decls.get(name)
    if (found === undefined) throw new GemmaError('internal', `Plan ${plan.name} has no buffer ${name}. Declare it.`)
    return found
  }
  const context = { ...options, decl, limits: plan.limits, flow: createFlow(plan) }
  return plan.sections.map((section, index) => ({ section: index, launches: sectionLaunches(plan, section, context) }))
}
