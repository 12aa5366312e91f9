/** A prompt in the part of an address that browsers send nowhere. */
const name = 'prompt'

export function linkOfPrompt(text: string, page: string): string {
  const bytes = new TextEncoder().encode(text)
  let binary = ''
  for (const byte of bytes) binary += String.fromCharCode(byte)
  const base64url = btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
  return `${page.split('#')[0]}#${name}=${base64url}`
}

/** Undefined where there is none, or none that can be read. */
export function promptOfLink(hash: string): string | undefined {
  const encoded = new URLSearchParams(hash.replace(/^#/, '')).get(name)
  if (encoded === null) return undefined
  try {
    const binary = atob(encoded.replaceAll('-', '+').replaceAll('_', '/'))
    return new TextDecoder('utf-8', { fatal: true }).decode(Uint8Array.from(binary, (letter) => letter.charCodeAt(0)))
  } catch {
    return undefined
  }
}
