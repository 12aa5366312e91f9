/** Where a key leads from the token that has the focus; undefined: nowhere. */
export function tokenAfterKey<T extends Pick<Element, 'getBoundingClientRect'>>(key: string, tokens: readonly T[], from: unknown): T | undefined {
  const at = tokens.findIndex((token) => token === from)
  if (at < 0) return undefined
  switch (key) {
    case 'ArrowLeft':
      return tokens[at - 1]
    case 'ArrowRight':
      return tokens[at + 1]
    case 'Home':
      return tokens[0]
    case 'End':
      return tokens.at(-1)
    case 'ArrowUp':
      return nearest(tokens.slice(0, at).toReversed(), tokens[at])
    case 'ArrowDown':
      return nearest(tokens.slice(at + 1), tokens[at])
    default:
      return undefined
  }
}

/** Of the next line, the one that stands nearest. */
function nearest<T extends Pick<Element, 'getBoundingClientRect'>>(candidates: readonly T[], from: T): T | undefined {
  const { top, bottom, left, width } = from.getBoundingClientRect()
  const places = candidates.map((token) => ({ token, rect: token.getBoundingClientRect() }))
  const first = places.find(({ rect }) => rect.bottom <= top + 1 || rect.top >= bottom - 1)
  if (first === undefined) return undefined
  const line = places.filter(({ rect }) => Math.abs(rect.top - first.rect.top) < first.rect.height / 2)
  const distance = (rect: DOMRect): number => Math.abs(rect.left + rect.width / 2 - left - width / 2)
  return line.reduce((best, each) => (distance(each.rect) < distance(best.rect) ? each : best)).token
}
