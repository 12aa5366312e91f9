import { useEffect, useState } from 'react'
import type { Options } from 'react-markdown'

type Plugins = NonNullable<Options['rehypePlugins']>

const none: Plugins = []

/** A fence that names a language. */
const codePattern = /^ {0,3}(```|~~~) *[^\s`]/m

/** The highlighter, from the first code on: most answers have none, and it is as large as all else that shows them. */
export function useHighlight(text: string): Plugins {
  const [plugins, setPlugins] = useState(none)
  const isWanted = plugins === none && codePattern.test(text)
  useEffect(() => {
    if (isWanted) void import('./highlight.ts').then(({ highlight }) => setPlugins([highlight]), () => {}) // without the network: no colours
  }, [isWanted])
  return plugins
}
