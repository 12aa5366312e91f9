import { useCallback, useEffect, useState } from 'react'
import { parseSettings, type Settings } from './settings.ts'

const key = 'facet.settings'

export type ChangeSettings = (change: Partial<Settings>) => void

export function useSettings(): readonly [Settings, ChangeSettings] {
  const [settings, setSettings] = useState(readSettings)
  useEffect(() => writeSettings(settings), [settings])
  const change = useCallback((next: Partial<Settings>) => setSettings((before) => ({ ...before, ...next })), [])
  return [settings, change]
}

function readSettings(): Settings {
  try {
    return parseSettings(JSON.parse(localStorage.getItem(key) ?? 'null'))
  } catch {
    return parseSettings(undefined)
  }
}

function writeSettings(settings: Settings): void {
  try {
    localStorage.setItem(key, JSON.stringify(settings))
  } catch {
    // Storage is blocked or full: they hold as long as the page.
  }
}
