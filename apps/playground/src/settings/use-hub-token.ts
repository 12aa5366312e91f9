import { useCallback, useState } from 'react'

const key = 'facet.hub-token'

/** A secret: apart from the settings, so that nothing that writes those writes it too. */
export interface HubToken {
  /** Empty: none. */
  readonly token: string
  /** Else it is forgotten with the tab. */
  readonly isRemembered: boolean
  readonly change: (token: string, isRemembered: boolean) => void
}

export function useHubToken(): HubToken {
  const [{ token, isRemembered }, setState] = useState(read)
  const change = useCallback((next: string, remember: boolean) => {
    write(next, remember)
    setState({ token: next, isRemembered: remember })
  }, [])
  return { token, isRemembered, change }
}

function read(): Pick<HubToken, 'token' | 'isRemembered'> {
  try {
    const remembered = localStorage.getItem(key)
    return { token: remembered ?? sessionStorage.getItem(key) ?? '', isRemembered: remembered !== null }
  } catch {
    return { token: '', isRemembered: false }
  }
}

function write(token: string, isRemembered: boolean): void {
  try {
    for (const storage of [localStorage, sessionStorage]) storage.removeItem(key)
    if (token !== '') (isRemembered ? localStorage : sessionStorage).setItem(key, token)
  } catch {
    // Storage is blocked: it holds as long as the page.
  }
}
