import { defineConfig } from 'tsup'

export default defineConfig({
  entry: { bin: 'src/bin.ts' },
  format: 'esm',
  target: 'es2023',
  dts: false,
  clean: true,
})
