// `pnpm bench`: bench/bench.ts, which has the options; first installs the engines to compare with, where any may be wanted.
import process from 'node:process'
import { installPeers } from './bench-peers.ts'

const isFacetAlone = process.argv.some((argument) => /^--(?:backend|synthetic)(?:=|$)/.test(argument))
if (!isFacetAlone) installPeers()
await import('../bench/bench.ts')
