import { defineConfig } from 'tsup'

export default defineConfig({
  entry: {
    index: 'src/index.ts',
    'backend-api': 'src/backend-api.ts',
    'session-api': 'src/session-api.ts',
    inspect: 'src/inspect.ts',
    'reference/index': 'src/reference/index.ts',
    'testing/index': 'src/testing/index.ts',
    'platform/node': 'src/platform/node.ts',
    'platform/web': 'src/platform/web.ts',
    // A file of its own, so that pages whose models run in workers leave it out, and the library that it imports.
    'tokenizer/jinja-chat-template': 'src/tokenizer/jinja-chat-template.ts',
  },
  format: 'esm',
  target: 'es2023',
  dts: false, // tsc writes the declarations (tsup's writer needs a compiler API that TypeScript 7 no longer has)
  clean: true,
  external: ['#platform'], // resolved by the reader's runtime through package.json "imports"
})
