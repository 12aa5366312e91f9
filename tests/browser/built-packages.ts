/** The packages as they are published, built when they are missing or older than their sources. */
import { execFile } from 'node:child_process'
import { glob, stat } from 'node:fs/promises'
import { delimiter, dirname, join } from 'node:path'
import process from 'node:process'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** @param names of folders in `packages/` @throws Error with the build's output when it fails. */
export async function ensureBuilt(root: string, names: readonly string[]): Promise<void> {
  const fresh = await Promise.all(names.map((name) => isFresh(join(root, 'packages', name))))
  if (fresh.every((isBuilt) => isBuilt)) return
  const bin = join(root, 'node_modules', '.bin')
  const filters = names.map((name) => `--filter=./packages/${name}`)
  const PATH = [bin, dirname(process.execPath), process.env['PATH']].join(delimiter)
  const env = { ...process.env, PATH, TURBO_TELEMETRY_DISABLED: '1' }
  await run(join(bin, 'turbo'), ['run', 'build', ...filters, '--output-logs=errors-only'], { cwd: root, env, maxBuffer: 2 ** 26 }).catch((error: unknown) => {
    const output = error instanceof Error && 'stdout' in error ? String(error.stdout) : ''
    throw new Error(`The packages could not be built. Run \`turbo run build\` and mend what it says.\n${output}`, { cause: error })
  })
}

async function isFresh(folder: string): Promise<boolean> {
  const built = await modifiedAt(join(folder, 'dist', 'index.js'))
  if (built === undefined) return false
  for await (const file of glob('{src/**/*.ts,wasm/*,package.json,tsup.config.ts}', { cwd: folder })) {
    if (!file.endsWith('.test.ts') && ((await modifiedAt(join(folder, file))) ?? 0) > built) return false
  }
  return true
}

async function modifiedAt(file: string): Promise<number | undefined> {
  return await stat(file).then(
    ({ mtimeMs }) => mtimeMs,
    () => undefined,
  )
}
