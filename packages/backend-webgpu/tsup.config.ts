import { defineConfig } from 'tsup'

export default defineConfig({
  entry: ['src/index.ts', 'src/platform-node.ts', 'src/platform-web.ts'],
  format: 'esm',
  target: 'es2023',
  dts: false,
  clean: true,
  external: ['#platform', 'webgpu'],
})
