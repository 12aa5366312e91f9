import type { ImageInput, PanAndScanOptions, VisionConfig } from '@facetjs/core'
import { UnstyledButton } from '@mantine/core'
import { lazy, type ReactElement, Suspense, useState } from 'react'
import classes from './picture.module.css'
import { useObjectUrl } from './use-object-url.ts'

// Loaded when a picture is opened.
const PictureDialog = lazy(async () => ({ default: (await import('./picture-dialog.tsx')).PictureDialog }))

export interface PictureProps {
  readonly image: ImageInput
  /** For those who do not see it. */
  readonly label: string
  readonly size: 'small' | 'large'
  readonly panAndScan: boolean | PanAndScanOptions
  /** Of a model that sees. */
  readonly vision: VisionConfig | undefined
}

/** A picture of the conversation, which can be opened. */
export function Picture({ image, label, size, panAndScan, vision }: PictureProps): ReactElement {
  const url = useObjectUrl(image)
  const [isOpen, setIsOpen] = useState(false)
  const [wasOpened, setWasOpened] = useState(false)
  const open = (): void => {
    setWasOpened(true)
    setIsOpen(true)
  }
  return (
    <figure className={classes.figure} data-size={size}>
      {url !== undefined && <img src={url} alt={label} className={classes.image} />}
      {url !== undefined && <UnstyledButton className={classes.open} aria-label={`Open ${label}`} aria-haspopup="dialog" onClick={open} />}
      {url !== undefined && wasOpened && (
        <Suspense><PictureDialog image={image} url={url} label={label} panAndScan={panAndScan} vision={vision} isOpen={isOpen} onClose={() => setIsOpen(false)} /></Suspense>
      )}
    </figure>
  )
}
