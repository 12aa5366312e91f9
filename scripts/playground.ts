// `npm run playground`: builds the page, serves it and opens it. Further arguments go to `vite preview` (--port, --host).
import { spawnSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const app = join(root, 'apps', 'playground')

function run(folder: string, command: string, ...args: readonly string[]): void {
  const env = { ...process.env, TURBO_TELEMETRY_DISABLED: '1' }
  const { status, error } = spawnSync(join(folder, 'node_modules', '.bin', command), args, { cwd: folder, env, stdio: 'inherit', shell: process.platform === 'win32' })
  if (error !== undefined) throw error
  if (status !== 0) process.exit(status ?? 1)
}

run(root, 'turbo', 'run', 'build', '--filter=@facetjs/playground', '--output-logs=errors-only')
const hasScreen = process.stdout.isTTY && (process.platform !== 'linux' || process.env['DISPLAY'] !== undefined || process.env['WAYLAND_DISPLAY'] !== undefined)
run(app, 'vite', 'preview', ...(hasScreen ? ['--open'] : []), ...process.argv.slice(2))
