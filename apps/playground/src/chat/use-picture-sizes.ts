import { useEffect, useRef, useState } from 'react'

export interface PictureSize {
  readonly width: number
  readonly height: number
}

/** In pixels, as they are shown; undefined until all are known. */
export function usePictureSizes(pictures: readonly File[]): readonly PictureSize[] | undefined {
  const known = useRef(new WeakMap<File, Promise<PictureSize>>())
  const [sizes, setSizes] = useState<readonly PictureSize[]>()
  useEffect(() => {
    let isCurrent = true
    const all = pictures.map((picture) => {
      const size = known.current.get(picture) ?? readSize(picture)
      known.current.set(picture, size)
      return size
    })
    Promise.all(all).then((found) => isCurrent && setSizes(found), () => isCurrent && setSizes(undefined))
    return () => {
      isCurrent = false
    }
  }, [pictures])
  return sizes?.length === pictures.length ? sizes : undefined
}

async function readSize(picture: File): Promise<PictureSize> {
  const bitmap = await createImageBitmap(picture)
  const { width, height } = bitmap
  bitmap.close()
  return { width, height }
}
