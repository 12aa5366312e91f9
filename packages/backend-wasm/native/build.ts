// Compiles native/*.c into wasm/*.wasm: `pnpm --filter @facetjs/backend-wasm native [--check]`.
// One source, four builds: {relaxed SIMD, SIMD128} × {shared, unshared memory}. The compiler is an npm package (clang in WebAssembly),
// so that anyone rebuilds the same bytes; --check only compares them with what is committed.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { runClang } from '@yowasp/clang'

const native = new URL('./', import.meta.url)
const target = new URL('../wasm/', import.meta.url)
const check = process.argv.includes('--check')
const only = process.argv.find((argument) => argument.startsWith('--only='))?.slice('--only='.length)

const sources: Record<string, string> = {}
for (const file of readdirSync(native)) if (/\.[ch]$/.test(file)) sources[file] = readFileSync(new URL(file, native), 'utf8')
const units = Object.keys(sources).filter((file) => file.endsWith('.c') && !file.endsWith('.bench.c')).toSorted()

/** Memory is imported: the host makes it as large as the model needs, up to 4 GiB. */
const MAX_PAGES = 65536

const builds: readonly { readonly name: string; readonly relaxed: boolean; readonly shared: boolean }[] = [
  { name: 'relaxed-shared', relaxed: true, shared: true },
  { name: 'relaxed', relaxed: true, shared: false },
  { name: 'simd-shared', relaxed: false, shared: true },
  { name: 'simd', relaxed: false, shared: false },
]

function flags(relaxed: boolean, shared: boolean): string[] {
  return [
    'clang', '--target=wasm32', '-std=c23', '-O3', '-ffreestanding', '-nostdlib', '-fno-builtin', '-ffp-contract=off', '-Wall', '-Wextra', '-Werror',
    '-msimd128', '-mbulk-memory', '-mnontrapping-fptoint', '-msign-ext',
    ...(relaxed ? ['-mrelaxed-simd', '-DRELAXED=1'] : []),
    ...(shared ? ['-matomics', '-DSHARED=1'] : []),
    '-Wl,--no-entry', '-Wl,--import-memory', `-Wl,--max-memory=${MAX_PAGES * 65536}`, '-Wl,--strip-all', '-Wl,-z,stack-size=65536', '-Wl,--stack-first',
    '-Wl,--export=__heap_base', '-Wl,--export=__stack_pointer',
    ...(shared ? ['-Wl,--shared-memory'] : []),
  ]
}

mkdirSync(target, { recursive: true })
let stale = 0
for (const { name, relaxed, shared } of builds) {
  if (only !== undefined && only !== name) continue
  const start = performance.now()
  const files = await runClang([...flags(relaxed, shared), ...units, '-o', 'kernels.wasm'], sources)
  const bytes = files?.['kernels.wasm']
  if (!(bytes instanceof Uint8Array)) throw new Error(`clang gave no ${name}.wasm`)
  const file = new URL(`${name}.wasm`, target)
  if (check) {
    const same = Buffer.compare(readFileSync(file), bytes) === 0
    if (!same) stale++
    console.log(`${name}.wasm: ${same ? 'as committed' : 'DIFFERS from what is committed; run the build and commit it'}`)
  } else {
    writeFileSync(file, bytes)
    console.log(`${fileURLToPath(file)}: ${bytes.length} bytes, ${((performance.now() - start) / 1000).toFixed(1)} s`)
  }
}
process.exitCode = stale === 0 ? 0 : 1
