import { useCallback, useEffect, useState } from 'react'

/** What `<main>` shows. It stands in the part of the address that browsers send nowhere, so that reload, links and Back work. */
export type View = 'chat' | 'race'

export function useView(): readonly [View, (view: View) => void] {
  const [view, setView] = useState(() => viewOf(location.hash))
  useEffect(() => {
    const take = (): void => setView(viewOf(location.hash))
    addEventListener('popstate', take) // also where only what is behind the # changes
    return () => removeEventListener('popstate', take)
  }, [])
  const show = useCallback((next: View) => {
    setView(next)
    if (next !== viewOf(location.hash)) history.pushState(null, '', next === 'race' ? '#race' : location.pathname + location.search)
  }, [])
  return [view, show]
}

function viewOf(hash: string): View {
  return new URLSearchParams(hash.replace(/^#/, '')).has('race') ? 'race' : 'chat'
}
