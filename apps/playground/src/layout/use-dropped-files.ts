import { useEffect, useRef, useState } from 'react'

/** Files dropped anywhere on the page. Returns whether some are held over it. */
export function useDroppedFiles(onFiles: (files: readonly File[]) => void): boolean {
  const [isOver, setIsOver] = useState(false)
  const handler = useRef(onFiles)
  useEffect(() => {
    handler.current = onFiles
  })
  useEffect(() => {
    const aborter = new AbortController()
    const { signal } = aborter
    const hasFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes('Files') ?? false
    addEventListener('dragover', (event) => {
      if (!hasFiles(event)) return
      event.preventDefault()
      setIsOver(true)
    }, { signal })
    addEventListener('dragleave', (event) => event.relatedTarget === null && setIsOver(false), { signal })
    addEventListener('drop', (event) => {
      setIsOver(false)
      if (!hasFiles(event)) return
      event.preventDefault() // else the browser opens the file in place of the page
      handler.current([...(event.dataTransfer?.files ?? [])])
    }, { signal })
    return () => aborter.abort()
  }, [])
  return isOver
}
