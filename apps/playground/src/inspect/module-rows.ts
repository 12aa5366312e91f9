/** The module tree as rows of a table: what each module holds, and what it costs. */
import type { GemmaConfig, StepCost, TensorInfo } from '@facetjs/core'
import { countParameters, type ModuleNode, modulePath, moduleTree } from '@facetjs/core/inspect'
import { placeOfStep } from './step-places.ts'

export interface ModuleRow {
  /** Unique in the tree. */
  readonly id: string
  /** The attribute's name, '' at the root; of layers that stand together: `0 … 17`. Of a step: what it does. */
  readonly name: string
  /** The class; '' of a step. */
  readonly kind: string
  readonly shapes: readonly (readonly number[])[]
  readonly encodings: readonly string[]
  /** This module's and those below it, of all layers that it stands for; so are the next two. */
  readonly parameters: number
  readonly bytes: number
  /** Undefined: not measured, or no part of a decoded token. */
  readonly ms: number | undefined
  readonly children: readonly ModuleRow[]
}

export interface ModuleRowsOptions {
  readonly config: GemmaConfig
  readonly tensors: ReadonlyMap<string, TensorInfo>
  /** What was measured. */
  readonly steps?: readonly StepCost[] | undefined
  /** Which of the repeated layers to show, by the path of their list (`layers`); absent: all as one. */
  readonly layers?: Readonly<Record<string, number | undefined>>
}

interface PlacedStep {
  readonly label: string | undefined
  readonly ms: number
}

export function moduleRows({ config, tensors, steps, layers = {} }: ModuleRowsOptions): ModuleRow {
  const placed = new Map<string, PlacedStep[]>()
  for (const step of steps ?? []) {
    const { path, label } = placeOfStep(step)
    placed.set(path, [...(placed.get(path) ?? []), { label, ms: step.ms }])
  }

  const build = (node: ModuleNode, id: string, paths: readonly string[], copies: number): ModuleRow => {
    const own = node.parameters.filter(({ shared }) => shared !== true)
    const found = own.flatMap(({ name }) => paths.flatMap((path) => tensors.get(modulePath(path, name)) ?? []))
    const mine = paths.flatMap((path) => placed.get(path) ?? [])
    const stepRows = [...Map.groupBy(mine.filter(({ label }) => label !== undefined), ({ label }) => label)].map(([label, each]): ModuleRow => (
      { id: `${id}/${label}`, name: label ?? '', kind: '', shapes: [], encodings: [], parameters: 0, bytes: 0, ms: sum(each.map(({ ms }) => ms)), children: [] }
    ))
    const children = node.children.map((child) => {
      const childId = `${id}/${child.name}`
      if (child.repeat === 1) return { all: build(child, childId, paths.map((path) => modulePath(path, child.name)), copies) }
      const list = paths[0]
      const each = Array.from({ length: child.repeat }, (_, i) => paths.map((path) => modulePath(path, String(i))))
      const all = { ...build(child, childId, each.flat(), copies * child.repeat), name: `0 … ${child.repeat - 1}` }
      const chosen = layers[list]
      return { all, shown: chosen === undefined ? all : { ...build(child, childId, each[chosen], copies), name: String(chosen) } }
    })
    const ownMs = mine.filter(({ label }) => label === undefined).map(({ ms }) => ms)
    const times = [...ownMs, ...[...stepRows, ...children.map(({ all }) => all)].flatMap(({ ms }) => ms ?? [])]
    return {
      id,
      name: node.name,
      kind: node.kind,
      shapes: node.parameters.map(({ shape }) => shape),
      encodings: [...new Set(found.filter(({ shape }) => shape.length > 1).map(({ type }) => type))],
      parameters: copies * countParameters({ ...node, repeat: 1 }),
      bytes: sum([...found.map(({ byteLength }) => byteLength), ...children.map(({ all }) => all.bytes)]),
      ms: times.length === 0 ? undefined : sum(times),
      children: [...children.map(({ all, shown }) => shown ?? all), ...stepRows],
    }
  }
  return build(moduleTree(config), 'model', [''], 1)
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0)
}
