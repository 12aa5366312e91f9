import { countImages, type VisionConfig } from '@facetjs/core'
import { Group, Switch, Text } from '@mantine/core'
import type { ReactElement } from 'react'
import { formatImageTokens } from './image-tokens.ts'
import { usePictureSizes } from './use-picture-sizes.ts'

export interface PictureOptionsProps {
  readonly pictures: readonly File[]
  readonly vision: VisionConfig
  readonly panAndScan: boolean
  readonly onPanAndScan: (panAndScan: boolean) => void
}

/** How the pictures of a message are shown to the model, and what that takes. */
export function PictureOptions({ pictures, vision, panAndScan, onPanAndScan }: PictureOptionsProps): ReactElement {
  const sizes = usePictureSizes(pictures)
  const images = sizes?.reduce((sum, { width, height }) => sum + countImages(width, height, panAndScan), 0)
  return (
    <Group gap="md" mb={4}>
      <Switch size="xs" label="Pan & scan: enlarged parts of long pictures, too" checked={panAndScan} onChange={(event) => onPanAndScan(event.currentTarget.checked)} />
      {images !== undefined && <Text size="xs" c="dimmed" role="status">{formatImageTokens(images, vision)}</Text>}
    </Group>
  )
}
