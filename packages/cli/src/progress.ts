/** Bars on stderr while something takes long. */
import { MultiBar, Presets, type SingleBar } from 'cli-progress'
import { formatBytes, formatCount } from './format.ts'

export interface Progress extends Disposable {
  /** Shows `label` at `done` of `total`, in a line of its own. */
  show(label: string, done: number, total: number, unit: 'bytes' | 'tokens' | 'steps'): void
  /** Takes all bars off the screen. */
  clear(): void
}

/** What is done sooner needs no bar. */
const patienceMs = 250

/** Draws nothing where stderr is no terminal, or people asked for quiet. */
export function createProgress(quiet: boolean): Progress {
  const visible = !quiet && process.stderr.isTTY
  let current: { readonly since: number; readonly bars: Map<string, SingleBar>; screen?: MultiBar } | undefined

  const clear = (): void => {
    current?.screen?.stop()
    current = undefined
  }
  return {
    show(label, done, total, unit) {
      if (!visible || total <= 0) return
      const amount = unit === 'bytes' ? `${formatBytes(done)} of ${formatBytes(total)}` : `${formatCount(done)} of ${formatCount(total)} ${unit}`
      current ??= { since: performance.now(), bars: new Map() }
      const bar = current.bars.get(label)
      if (bar !== undefined) {
        bar.update(done, { amount })
      } else if (performance.now() - current.since > patienceMs) {
        current.screen ??= new MultiBar(
          { stream: process.stderr, format: '{label} {bar} {percentage}% · {amount}', clearOnComplete: true, hideCursor: true, gracefulExit: false, barsize: 24 },
          Presets.shades_classic,
        )
        current.bars.set(label, current.screen.create(total, done, { label, amount }))
      }
    },
    clear,
    [Symbol.dispose]: clear,
  }
}
