import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import process from 'node:process'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Root on Debian or Ubuntu. */
export function canInstall(): boolean {
  return process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')
}

/**
 * Installs packages, and says so first.
 * @param size what people are told, as in 'about 50 MB'
 * @param release of Debian to take them from. Default: the system's own
 */
export async function aptInstall(packages: readonly string[], { size, release }: { readonly size: string; readonly release?: string }): Promise<void> {
  console.error(`facet: installing ${packages.join(', ')} (apt-get, ${size}, once)`)
  const options = { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }, maxBuffer: 2 ** 26 }
  try {
    await run('apt-get', ['update'], options)
    await run('apt-get', ['install', '-y', '--no-install-recommends', ...(release === undefined ? [] : ['-t', release]), ...packages], options)
  } catch (cause) {
    throw new Error(`apt-get could not install ${packages.join(', ')}. Install it by hand.`, { cause })
  }
}
