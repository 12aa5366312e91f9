/** A bar on stderr while something takes long. */
import { Presets, SingleBar } from 'cli-progress'
import { formatBytes, formatCount } from './format.ts'

export interface Progress extends Disposable {
  /** Shows `label` at `done` of `total`; another label starts another bar. */
  show(label: string, done: number, total: number, unit: 'bytes' | 'tokens'): void
  /** Takes the bar off the screen. */
  clear(): void
}

/** What is done sooner needs no bar. */
const patienceMs = 250

/** Draws nothing where stderr is no terminal, or people asked for quiet. */
export function createProgress(quiet: boolean): Progress {
  const visible = !quiet && process.stderr.isTTY
  let current: { readonly label: string; readonly since: number; bar?: SingleBar } | undefined

  const clear = (): void => {
    current?.bar?.stop()
    current = undefined
  }
  return {
    show(label, done, total, unit) {
      if (!visible || total <= 0) return
      const amount = unit === 'bytes' ? `${formatBytes(done)} of ${formatBytes(total)}` : `${formatCount(done)} of ${formatCount(total)} ${unit}`
      if (current?.label !== label) {
        clear()
        current = { label, since: performance.now() }
      }
      if (current.bar !== undefined) {
        current.bar.update(done, { amount })
      } else if (performance.now() - current.since > patienceMs) {
        current.bar = new SingleBar(
          { stream: process.stderr, format: '{label} {bar} {percentage}% · {amount}', clearOnComplete: true, hideCursor: true, gracefulExit: false, barsize: 24 },
          Presets.shades_classic,
        )
        current.bar.start(total, done, { label, amount })
      }
    },
    clear,
    [Symbol.dispose]: clear,
  }
}
