/** Downloads in a process of its own, to be killed: `node interrupted.testing.ts ENDPOINT FOLDER PART_BYTES MODEL`. */
import process from 'node:process'
import { openModelStore } from './model-store.ts'

const [endpoint, folder, partBytes, model] = process.argv.slice(2)
const store = await openModelStore({ endpoint, folder, partBytes: Number(partBytes) })
await store.download(model, { onProgress: ({ loaded }) => void process.stdout.write(`${loaded}\n`) })
