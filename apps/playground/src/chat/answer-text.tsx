import { lazy, type ReactElement, Suspense, useDeferredValue } from 'react'
import classes from './message-row.module.css'

// Loaded apart from the page: the parser and the highlighter are half of its size.
const Markdown = lazy(async () => ({ default: (await import('./markdown.tsx')).Markdown }))

/** An answer, as plain text until the markdown is there. */
export function AnswerText({ text, isWhole }: { readonly text: string; readonly isWhole: boolean }): ReactElement {
  const deferred = useDeferredValue(text) // while it is written, typing and scrolling come first
  return <Suspense fallback={<div className={classes.plain}>{text}</div>}><Markdown text={isWhole ? text : deferred} /></Suspense>
}
