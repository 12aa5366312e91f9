import { startEngine } from './engine-process.ts'
import { benchPrompt } from './prompt.ts'
import { execSync } from 'node:child_process'
const e = await startEngine(process.argv[2] as never, '/work/main/.models/gemma-3-270m-q4_k_m.gguf', { threads: 2, contextLength: 512 })
await e.run(await benchPrompt(32, 0), 8)
await new Promise((r) => setTimeout(r, 1000))
const cpu = () => execSync(`ps -o pid,ppid,time,cputimes,args -e --sort=-cputimes | grep -v damon | head -5 | cut -c1-110`).toString()
console.log(cpu()); await new Promise((r) => setTimeout(r, 5000)); console.log(cpu())
await e.dispose()
