import { type Box, type ImageInput, panAndScanBoxes, type PanAndScanOptions, type VisionConfig } from '@facetjs/core'
import { Modal, Switch, Text } from '@mantine/core'
import { useMediaQuery } from '@mantine/hooks'
import { type ReactElement, useEffect, useState } from 'react'
import { formatImageTokens } from './image-tokens.ts'
import { PictureBoxes } from './picture-boxes.tsx'
import classes from './picture-dialog.module.css'
import { PictureViews } from './picture-views.tsx'

export interface PictureDialogProps {
  readonly image: ImageInput
  /** Of the same picture. */
  readonly url: string
  readonly label: string
  readonly panAndScan: boolean | PanAndScanOptions
  readonly vision: VisionConfig | undefined
  readonly isOpen: boolean
  readonly onClose: () => void
}

/** A picture, as large as there is room; and on request what the model gets of it. */
export function PictureDialog({ image, url, label, panAndScan, vision, isOpen, onClose }: PictureDialogProps): ReactElement {
  const [size, setSize] = useState<{ readonly width: number; readonly height: number }>()
  const [isSeen, setIsSeen] = useState(false)
  // A dialog that is open from the first does not know where the focus was.
  const [isMounted, setIsMounted] = useState(false)
  useEffect(() => setIsMounted(true), [])
  const isNarrow = useMediaQuery('(max-width: 48em)', undefined, { getInitialValueInEffect: false })
  const boxes = size === undefined || panAndScan === false ? [] : panAndScanBoxes(size.width, size.height, panAndScan === true ? {} : panAndScan)
  return (
    <Modal opened={isOpen && isMounted} onClose={onClose} title={label} size="auto" centered fullScreen={isNarrow} closeButtonProps={{ 'aria-label': 'Close' }}>
      <div className={classes.body}>
        {vision !== undefined && <Switch label="What the model sees" checked={isSeen} onChange={(event) => setIsSeen(event.currentTarget.checked)} />}
        <div className={classes.frame}>
          <img src={url} alt={label} className={classes.image} onLoad={({ currentTarget: { naturalWidth: width, naturalHeight: height } }) => setSize({ width, height })} />
          {isSeen && size !== undefined && <PictureBoxes {...size} boxes={boxes} />}
        </div>
        {size !== undefined && <Text size="sm">{describe(size, boxes, vision)}</Text>}
        {isSeen && size !== undefined && vision !== undefined && <PictureViews image={image} imageSize={vision.imageSize} panAndScan={panAndScan} boxes={boxes} />}
      </div>
    </Modal>
  )
}

function describe({ width, height }: { readonly width: number; readonly height: number }, boxes: readonly Box[], vision: VisionConfig | undefined): string {
  const pixels = `${width.toLocaleString('en')} × ${height.toLocaleString('en')} pixels`
  if (vision === undefined) return `${pixels}. The model that is loaded reads text only.`
  const images = 1 + boxes.length
  return `${pixels}. The model reads it as ${formatImageTokens(images, vision)}${images > 1 ? ': the whole, and the numbered parts' : ''}.`
}
