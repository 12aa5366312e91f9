/** Length and FNV-1a hash of `meaningOf` Gemma's own template (fixtures/chat/gemma-template.jinja). */
const gemma = { length: 1071, hash: 0xb9f9ad57 }
/** Far more than Gemma's; the expressions below are not meant for long sources. */
const maxLength = 8192

/** Whether a Jinja source means the same as Gemma's own template: it may differ in layout, quotes and escapes, and in nothing else. */
export function isGemmaTemplate(source: string): boolean {
  if (source.length > maxLength) return false
  const meaning = meaningOf(source)
  return meaning.length === gemma.length && fnv1a(meaning) === gemma.hash
}

/** The source without what does not show: space inside and beside tags that take it away, comments, the kind of quotes. */
export function meaningOf(source: string): string {
  return source
    .replace(/\r\n/g, '\n')
    .replace(/\{#.*?#\}/gs, '')
    .trim()
    .replace(/\s*(\{[{%])-/g, '$1')
    .replace(/-([}%]\})\s*/g, '$1')
    .replace(/\{[{%].*?[}%]\}/gs, (tag) => tag.replace(/'([^']*)'|"([^"]*)"|\s+/g, (_, single?: string, double?: string) => literal(single ?? double)))
}

function literal(text: string | undefined): string {
  return text === undefined ? '' : JSON.stringify(text.replaceAll('\\n', '\n'))
}

function fnv1a(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash >>> 0
}
