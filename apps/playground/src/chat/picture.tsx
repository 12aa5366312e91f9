import type { ImageInput } from '@facetjs/core'
import type { ReactElement } from 'react'
import classes from './picture.module.css'
import { useObjectUrl } from './use-object-url.ts'

export interface PictureProps {
  readonly image: ImageInput
  /** For those who do not see it. */
  readonly label: string
  readonly size: 'small' | 'large'
}

/** A picture of the conversation. (Pan & scan's boxes go over it, inside of the figure.) */
export function Picture({ image, label, size }: PictureProps): ReactElement {
  const url = useObjectUrl(image)
  return <figure className={classes.figure} data-size={size}>{url !== undefined && <img src={url} alt={label} className={classes.image} />}</figure>
}
