import type { ReactElement } from 'react'
import classes from './layer-name.module.css'

/** `Layer 5`, and whether it sees all that was said or only a window of it. */
export function LayerName({ layer, type }: { readonly layer: number; readonly type: string }): ReactElement {
  return <>Layer {layer} <span className={classes.type} data-type={type}>{type}</span></>
}
