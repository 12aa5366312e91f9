import type { ImageInput } from '@facetjs/core'
import { useEffect, useState } from 'react'

/** An address under which an <img> finds the file; undefined until there is one, and for what is no file. */
export function useObjectUrl(image: ImageInput): string | undefined {
  const [url, setUrl] = useState<string>()
  useEffect(() => {
    if (!(image instanceof Blob)) return
    const created = URL.createObjectURL(image)
    setUrl(created)
    return () => URL.revokeObjectURL(created)
  }, [image])
  return url
}
