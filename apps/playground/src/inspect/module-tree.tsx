import { Tree, type TreeNodeData, useTree } from '@mantine/core'
import { IconChevronRight } from '@tabler/icons-react'
import { type ReactElement, useMemo } from 'react'
import { formatBytes } from '../format.ts'
import type { ModuleRow } from './module-rows.ts'
import classes from './module-tree.module.css'
import { formatParameters, formatStepMs } from './number-formats.ts'

/** Modules as a tree that folds; the time of each is a bar beside it. */
export function ModuleTree({ root }: { readonly root: ModuleRow }): ReactElement {
  const rows = useMemo(() => new Map(flatten(root).map((row) => [row.id, row])), [root])
  const data = useMemo(() => [nodeOf(root)], [root])
  const tree = useTree({ initialExpandedState: Object.fromEntries(flatten(root).filter(isOpenAtFirst).map(({ id }) => [id, true])) })
  return (
    <div className={classes.frame}>
      <div className={classes.header} aria-hidden><span>Module</span><span className={classes.shape}>Shape</span><span>Stored</span><span>Params</span><span>Bytes</span><span>Time</span></div>
      <Tree
        data={data} tree={tree} levelOffset={10} aria-label="Modules"
        renderNode={({ node, expanded, hasChildren, elementProps }) => {
          const row = rows.get(node.value)
          return row === undefined ? null : (
            <div {...elementProps} className={`${elementProps.className} ${classes.row}`} data-step={row.kind === '' || undefined}>
              <span className={classes.name} title={`${row.name} ${row.kind}`.trim()}>
                <IconChevronRight size={12} aria-hidden className={classes.chevron} data-open={expanded || undefined} data-leaf={!hasChildren || undefined} />
                <b>{row.name || row.kind}</b>{row.name !== '' && <span className={classes.kind}>{row.kind}</span>}
              </span>
              <span className={classes.shape}>{row.shapes.map((shape) => shape.join('×')).join(', ')}</span>
              <span>{row.encodings.join(', ').toUpperCase()}</span>
              <span>{row.parameters > 0 && formatParameters(row.parameters)}</span>
              <span>{row.bytes > 0 && formatBytes(row.bytes)}</span>
              <span className={classes.time}>
                {row.ms !== undefined && <><span className={classes.bar} style={{ width: `${(row.ms / (root.ms ?? row.ms)) * 100}%` }} /><span>{formatStepMs(row.ms)}</span></>}
              </span>
            </div>
          )
        }}
      />
    </div>
  )
}

/** All but what is in a layer's modules, and what has to do with pictures. */
function isOpenAtFirst({ id }: ModuleRow): boolean {
  return !/\/(vision_tower|multi_modal_projector)|\/layers\/0\//.test(id)
}

function flatten(row: ModuleRow): readonly ModuleRow[] {
  return [row, ...row.children.flatMap(flatten)]
}

function nodeOf({ id, name, children }: ModuleRow): TreeNodeData {
  return { value: id, label: name, ...(children.length > 0 && { children: children.map(nodeOf) }) }
}
