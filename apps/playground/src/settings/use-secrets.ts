import { useMemo, useState } from 'react'

/** Kept apart from the settings, so that nothing that writes those writes it too. */
export interface Secret {
  /** Empty: none. */
  readonly value: string
  /** Else it is forgotten with the tab. */
  readonly isRemembered: boolean
}

export interface Secrets {
  get(name: string): Secret
  change(name: string, secret: Secret): void
}

export const hubTokenName = 'hub-token'

/** Each server has a key of its own: what was written for one is not sent to another. */
export function serverKeyName(address: string): string {
  return `server-key ${new URL(address).origin}`
}

export function useSecrets(): Secrets {
  /** Those that were changed since the page is open; storage may be blocked. */
  const [changed, setChanged] = useState<ReadonlyMap<string, Secret>>(new Map())
  return useMemo(() => ({
    get: (name) => changed.get(name) ?? read(name),
    change(name, secret) {
      write(name, secret)
      setChanged((before) => new Map(before).set(name, secret))
    },
  }), [changed])
}

function keyOf(name: string): string {
  return `facet.${name}`
}

function read(name: string): Secret {
  try {
    const remembered = localStorage.getItem(keyOf(name))
    return { value: remembered ?? sessionStorage.getItem(keyOf(name)) ?? '', isRemembered: remembered !== null }
  } catch {
    return { value: '', isRemembered: false }
  }
}

function write(name: string, { value, isRemembered }: Secret): void {
  try {
    for (const storage of [localStorage, sessionStorage]) storage.removeItem(keyOf(name))
    if (value !== '') (isRemembered ? localStorage : sessionStorage).setItem(keyOf(name), value)
  } catch {
    // Storage is blocked: it holds as long as the page.
  }
}
