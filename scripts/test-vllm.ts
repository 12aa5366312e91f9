// `pnpm test:vllm`: the same session (tests/same-session) over a real vLLM on this machine's CPU, with the demo model's weights.
// The first run installs vLLM (see vllm.ts). Where every test passes, docs/vllm-run.md is written anew. CI does not run this.
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, release, tmpdir, totalmem, type } from 'node:os'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { writeHubFolder } from '../tests/same-session/hub-folder.ts'
import { contextLength, vllm as subject } from '../tests/same-session/subjects.ts'
import { findVllm, packageVersions, startVllm } from './vllm.ts'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const model = 'facet-demo'

interface TestReport {
  readonly testResults: readonly {
    readonly assertionResults: readonly { readonly ancestorTitles: readonly string[]; readonly title: string; readonly status: string; readonly duration?: number }[]
  }[]
}

interface Facts {
  readonly date: string
  readonly command: readonly string[]
  readonly versions: Readonly<Record<string, string>>
  readonly upSeconds: number
}

const venv = findVllm()
const scratch = mkdtempSync(join(tmpdir(), 'facet-vllm-'))
const folder = join(scratch, model)
try {
  await writeHubFolder(folder)
  const start = performance.now()
  console.log('starting vLLM with the demo model (a minute) …')
  const server = await startVllm({ venv, folder, model, contextLength, logFile: join(scratch, 'vllm.log') })
  const upSeconds = (performance.now() - start) / 1000
  console.log(`up at ${server.url} after ${upSeconds.toFixed(0)} s: ${server.command.join(' ')}`)
  try {
    const reportFile = join(scratch, 'report.json')
    const failed = await runTests(server.url, reportFile)
    const report: TestReport = JSON.parse(readFileSync(reportFile, 'utf8'))
    const results = report.testResults.flatMap(({ assertionResults }) => assertionResults)
    const count = (status: string): number => results.filter((result) => result.status === status).length
    const versions = packageVersions(venv, ['vllm', 'torch', 'transformers'])
    if (failed === 0) writeFileSync(join(root, 'docs', 'vllm-run.md'), render(results, { date: new Date().toISOString().slice(0, 10), command: server.command, versions, upSeconds }))
    console.log(`\n${count('passed')} passed, ${count('failed')} failed over vLLM ${versions['vllm']}${failed === 0 ? '; docs/vllm-run.md is written' : ''}`)
    process.exitCode = failed
  } finally {
    await server.close()
  }
} finally {
  rmSync(scratch, { recursive: true, force: true })
}

/** 0, or 1 where a test failed. */
async function runTests(url: string, reportFile: string): Promise<number> {
  const args = ['run', 'tests/same-session/same-session.test.ts', '-t', subject.name, '--reporter=verbose', '--reporter=json', `--outputFile.json=${reportFile}`, '--testTimeout=120000']
  const child = spawn(join(root, 'node_modules', '.bin', 'vitest'), args, { cwd: root, stdio: 'inherit', env: { ...process.env, FACET_VLLM_URL: url } })
  return await new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('exit', (code) => resolve(code === 0 ? 0 : 1))
  })
}

function render(results: TestReport['testResults'][number]['assertionResults'], { date, command, versions, upSeconds }: Facts): string {
  const ran = results.filter(({ status }) => status === 'passed' || status === 'failed')
  const passed = ran.filter(({ status }) => status === 'passed').length
  const groups = new Map<string, string[]>()
  for (const { ancestorTitles, title, status, duration = 0 } of ran) {
    const group = ancestorTitles.slice(1).join(' · ') || 'looking inside'
    groups.set(group, [...(groups.get(group) ?? []), `- ${title.replaceAll('|', '\\|')}: ${status}, ${duration.toFixed(0)} ms`])
  }
  return `${[
    '# The same session over a real vLLM',
    '',
    'Written by `pnpm test:vllm`: the cases of `tests/same-session`, through `@facetjs/remote`. CI runs the same cases in this process and over `facet serve`.',
    '',
    `${date}, ${cpus()[0]?.model ?? 'a CPU'} × ${cpus().length}, ${(totalmem() / 2 ** 30).toFixed(0)} GiB, ${type()} ${release()}; ${Object.entries(versions).map(([name, version]) => `${name} ${version}`).join(', ')}; Node ${process.version}.`,
    '',
    `The demo model’s GGUF and mmproj as a hub folder in f32, up after ${upSeconds.toFixed(0)} s:`,
    '',
    '```sh',
    command.map((word) => (word === folder ? model : word)).join(' '),
    '```',
    '',
    `**${passed} of ${ran.length} passed.** Greedy answers equal HF transformers’, token by token (of the fixtures, those whose two best logits are never closer than 1).`,
    '',
    '## What is not the same, and asserted so',
    '',
    ...Object.entries(subject.exceptions).map(([name, reason]) => `- \`${name}\`: ${reason}.`),
    '',
    '## Cases',
    ...[...groups].flatMap(([group, lines]) => ['', `### ${group}`, '', ...lines]),
  ].join('\n')}\n`
}
