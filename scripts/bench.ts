// `pnpm bench`: installs the engines to compare with, then bench/bench.ts, which has the options.
import { installPeers } from './bench-peers.ts'

installPeers()
await import('../bench/bench.ts')
