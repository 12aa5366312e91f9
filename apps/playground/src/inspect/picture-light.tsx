import { type Box, type ImagePart, panAndScanBoxes } from '@facetjs/core'
import { type ReactElement, useEffect, useRef, useState } from 'react'
import { useObjectUrl } from '../chat/use-object-url.ts'
import type { PictureView } from './attention-shares.ts'
import { formatPercent } from './number-formats.ts'
import { brightestPatch, veil } from './patch-grid.ts'
import classes from './picture-light.module.css'

export interface PictureLightProps {
  readonly part: ImagePart
  readonly name: string
  /** The whole, then pan and scan's crops. */
  readonly views: readonly PictureView[]
}

/** A picture of which the patches that are looked at are lit. */
export function PictureLight({ part: { image, panAndScan = false }, name, views }: PictureLightProps): ReactElement {
  const url = useObjectUrl(image)
  const [size, setSize] = useState<{ readonly width: number; readonly height: number }>()
  const crops = size === undefined || panAndScan === false ? [] : panAndScanBoxes(size.width, size.height, panAndScan === true ? {} : panAndScan)
  const largest = Math.max(...views.flatMap(({ shares }) => [...shares]))
  return (
    <div className={classes.views}>
      {views.map((each) => {
        const box = each.view === 0 ? size && { left: 0, top: 0, right: size.width, bottom: size.height } : crops.at(each.view - 1)
        return <View key={each.view} name={each.view === 0 ? name : `${name}, part ${each.view}`} url={url} view={each} largest={largest} size={size} box={box} onSize={setSize} />
      })}
    </div>
  )
}

interface ViewProps {
  readonly name: string
  readonly url: string | undefined
  readonly view: PictureView
  /** Of all patches of all views: what is as bright as can be. */
  readonly largest: number
  readonly size: { readonly width: number; readonly height: number } | undefined
  /** What of the picture the model sees here; it is stretched to a square for it. */
  readonly box: Box | undefined
  readonly onSize: (size: { readonly width: number; readonly height: number }) => void
}

function View({ name, url, view: { view, side, shares }, largest, size, box, onSize }: ViewProps): ReactElement {
  const isPart = view > 0
  const canvas = useRef<HTMLCanvasElement>(null)
  const [pointed, setPointed] = useState<number>()
  useEffect(() => {
    const context = canvas.current?.getContext('2d')
    if (context === null || context === undefined) return
    context.putImageData(new ImageData(veil(shares, largest), side, side), 0, 0)
  }, [side, shares, largest])
  const total = shares.reduce((sum, share) => sum + share, 0)
  const best = brightestPatch(shares, side)
  const patch = pointed ?? best.index
  const describe = (index: number): string => `row ${Math.floor(index / side) + 1}, column ${(index % side) + 1}: ${formatPercent(shares[index])}`
  const frame = box === undefined || size === undefined ? {} : {
    aspectRatio: `${box.right - box.left} / ${box.bottom - box.top}`,
    '--scale': size.width / (box.right - box.left),
    '--x': box.left / size.width,
    '--y': box.top / size.height,
  }
  return (
    <figure className={classes.figure} data-part={isPart || undefined}>
      <div
        className={classes.frame} style={frame} onPointerLeave={() => setPointed(undefined)}
        onPointerMove={({ currentTarget, clientX, clientY }) => {
          const { left, top, width, height } = currentTarget.getBoundingClientRect()
          const column = Math.floor(((clientX - left) / width) * side)
          const row = Math.floor(((clientY - top) / height) * side)
          setPointed(column >= 0 && column < side && row >= 0 && row < side ? row * side + column : undefined)
        }}
      >
        {url !== undefined && <img src={url} alt="" onLoad={({ currentTarget: { naturalWidth: width, naturalHeight: height } }) => onSize({ width, height })} />}
        <canvas ref={canvas} width={side} height={side} role="img" aria-label={`${name}: ${formatPercent(total)} of the attention, most of it at ${describe(best.index)}`} data-side={side} />
        <span className={classes.patch} data-pointed={pointed !== undefined || undefined} style={{ '--side': side, '--column': patch % side, '--row': Math.floor(patch / side) }} />
      </div>
      <figcaption><b>{isPart ? `Part ${view}` : name}: {formatPercent(total)}</b><br />{pointed === undefined ? 'Brightest: ' : ''}{describe(patch)}</figcaption>
    </figure>
  )
}
