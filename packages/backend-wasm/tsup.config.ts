import { defineConfig } from 'tsup'

export default defineConfig({
  entry: ['src/index.ts', 'src/platform-node.ts', 'src/platform-web.ts', 'src/worker.ts', 'src/worker-node.ts'],
  format: 'esm',
  target: 'es2023',
  dts: false,
  clean: true,
  splitting: false, // flat: workers and kernels are found beside the script that names them
  external: ['#platform'],
  publicDir: 'wasm', // the compiled kernels, as they are
})
