import type { Box } from '@facetjs/core'
import { Loader, Text } from '@mantine/core'
import { type ReactElement, useEffect, useRef, useState } from 'react'
import { readPictureViews, type ViewsRequest } from '../engine/read-picture-views.ts'
import { describeBox } from './picture-boxes.tsx'
import classes from './picture-dialog.module.css'

export interface PictureViewsProps extends ViewsRequest {
  readonly boxes: readonly Box[]
}

/** The squares that go into the tower, pixel by pixel. */
export function PictureViews({ image, imageSize, panAndScan, boxes }: PictureViewsProps): ReactElement {
  const [views, setViews] = useState<readonly ImageBitmap[]>()
  const [problem, setProblem] = useState<string>()
  useEffect(() => {
    const aborter = new AbortController()
    readPictureViews({ image, imageSize, panAndScan }, aborter.signal).then(setViews, (error: unknown) => {
      if (!aborter.signal.aborted) setProblem(error instanceof Error ? error.message : String(error))
    })
    return () => aborter.abort()
  }, [image, imageSize, panAndScan])
  if (problem !== undefined) return <Text size="sm" c="red" role="alert">{problem}</Text>
  if (views === undefined) return <Loader size="sm" type="dots" aria-label="The picture is prepared" />
  const captions = [['The whole'], ...boxes.map((box, i) => [`Part ${i + 1}`, describeBox(box)])]
  return (
    <section aria-label="What the model sees">
      <Text size="sm" c="dimmed">Each is stretched to {imageSize} × {imageSize} pixels, whatever its shape.</Text>
      <ul className={classes.views}>
        {views.map((view, i) => <li key={i}><View bitmap={view} caption={captions[i] ?? []} /></li>)}
      </ul>
    </section>
  )
}

function View({ bitmap, caption }: { readonly bitmap: ImageBitmap; readonly caption: readonly string[] }): ReactElement {
  const canvas = useRef<HTMLCanvasElement>(null)
  useEffect(() => canvas.current?.getContext('2d')?.drawImage(bitmap, 0, 0), [bitmap])
  return (
    <figure>
      <canvas ref={canvas} width={bitmap.width} height={bitmap.height} role="img" aria-label={caption.join(': ')} />
      <figcaption>{caption.map((line) => <div key={line}>{line}</div>)}</figcaption>
    </figure>
  )
}
