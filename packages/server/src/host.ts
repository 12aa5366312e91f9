import ipaddr from 'ipaddr.js'

/** Whether a name or address is this machine's own: `localhost`, 127.0.0.0/8, `[::1]`. */
export function isLoopback(hostname: string): boolean {
  const name = hostname.toLowerCase().replace(/^\[(.*)\]$/, '$1').replace(/\.$/, '')
  if (name === 'localhost' || name.endsWith('.localhost')) return true
  return ipaddr.isValid(name) && ipaddr.process(name).range() === 'loopback'
}

/** The name in a Host header, without its port. */
export function hostnameOf(host: string): string {
  return host.replace(/:\d*$/, '')
}
