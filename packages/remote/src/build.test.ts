// What bundlers get.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

test('the built entry has nothing in it but this package, and nothing of Node', () => {
  const out = mkdtempSync(join(tmpdir(), 'facet-remote-'))
  try {
    const root = fileURLToPath(new URL('..', import.meta.url))
    execFileSync(process.execPath, [join(root, 'node_modules/tsup/dist/cli-default.js'), '--out-dir', out], { cwd: root, stdio: 'pipe' })
    const built = readFileSync(join(out, 'index.js'), 'utf8')
    expect([...built.matchAll(/from\s*["']([^"']+)["']/g)].map(([, name]) => name).filter((name, i, all) => all.indexOf(name) === i).sort()).toEqual(['@facetjs/core', '@facetjs/core/session', 'eventsource-parser', 'fast-png', 'p-retry'])
  } finally {
    rmSync(out, { recursive: true })
  }
})
