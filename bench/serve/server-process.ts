/** `facet serve` in a process of its own. */
import { spawn } from 'node:child_process'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { freePort } from '../../scripts/free-port.ts'

export interface ServerProcess {
  readonly url: string
  /** The sum of a metric's samples, whatever their labels. */
  metric(name: string): Promise<number>
  /** SIGTERM. Resolves with the exit code. */
  stop(): Promise<number | null>
}

export async function startServer(...options: readonly string[]): Promise<ServerProcess> {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const child = spawn(process.execPath, ['--conditions=@facetjs/source', fileURLToPath(new URL('../../packages/cli/src/bin.ts', import.meta.url)), 'serve', '--quiet', '--port', `${port}`, ...options], { stdio: ['ignore', 'ignore', 'inherit'] })
  process.once('exit', () => child.kill('SIGKILL')) // whatever goes wrong here
  const ended = new Promise<number | null>((resolve) => void child.on('exit', resolve))
  while (!(await fetch(`${url}/health`).then(({ ok }) => ok, () => false))) {
    if (child.exitCode !== null) throw new Error('facet serve ended: the lines above say why.')
    await new Promise((resolve) => void setTimeout(resolve, 100))
  }
  return {
    url,
    async metric(name) {
      const text = await (await fetch(`${url}/metrics`)).text()
      const samples = text.split('\n').filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
      if (samples.length === 0) throw new Error(`The server has no metric ${name}.`)
      return samples.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0)
    },
    stop() {
      child.kill('SIGTERM')
      return ended
    },
  }
}
