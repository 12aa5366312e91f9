import type { KeyboardEvent } from 'react'

/** Enter, but for a new line, and not where it ends a composition (Chinese, Japanese, Korean). */
export function isSendKey({ key, shiftKey, nativeEvent }: KeyboardEvent): boolean {
  return key === 'Enter' && !shiftKey && !nativeEvent.isComposing
}
