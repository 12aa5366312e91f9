/** What is wrong with the address of a server, for people; undefined: nothing. */
export function problemOfAddress(address: string, page: Pick<Location, 'protocol'> = location): string | undefined {
  if (!/^https?:\/\//i.test(address) || !URL.canParse(address)) return 'Write an address that begins with https:// or http://'
  const { protocol, hostname, username, password } = new URL(address)
  if (username !== '' || password !== '') return 'Leave name and password out of the address; a key goes below.'
  // https://w3c.github.io/webappsec-mixed-content: browsers let such pages ask only servers with https, and this machine's own.
  if (page.protocol === 'https:' && protocol === 'http:' && !isThisMachine(hostname)) return 'This page came over https, so the server needs https too.'
  return undefined
}

function isThisMachine(hostname: string): boolean {
  return hostname === 'localhost' || hostname.endsWith('.localhost') || hostname === '[::1]' || /^127(?:\.\d+){3}$/.test(hostname)
}
