import { existsSync, readdirSync, readFileSync } from 'node:fs'
import process from 'node:process'
import { type Browser, chromium } from 'playwright-core'

/** Debian's Chromium (apt-get install chromium), or what FACET_CHROMIUM names. */
export async function launchChromium(): Promise<Browser> {
  const executablePath = process.env.FACET_CHROMIUM ?? '/usr/bin/chromium'
  if (!existsSync(executablePath)) throw new Error(`There is no Chromium at ${executablePath}. Run: apt-get install chromium, or set FACET_CHROMIUM.`)
  const args = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync']
  return await chromium.launch({ executablePath, headless: true, args })
}

/** Highest resident memory of the largest process below this one: the renderer that computes. Linux only. */
export function largestChildPeakBytes(): number | undefined {
  if (process.platform !== 'linux') return undefined
  const status = new Map(
    readdirSync('/proc')
      .filter((entry) => /^\d+$/.test(entry))
      .map((pid) => [Number(pid), readStatus(pid)]),
  )
  const below = (pid: number): boolean => {
    const parent = status.get(pid)?.parent
    return parent === process.pid || (parent !== undefined && parent > 1 && below(parent))
  }
  return Math.max(0, ...[...status.keys()].filter(below).map((pid) => status.get(pid)?.peakBytes ?? 0))
}

function readStatus(pid: string): { readonly parent: number; readonly peakBytes: number } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/status`, 'utf8')
    const field = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0)
    return { parent: field('PPid'), peakBytes: field('VmHWM') * 1024 }
  } catch {
    return undefined // it ended meanwhile
  }
}
