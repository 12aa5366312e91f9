import { parentPort, workerData } from 'node:worker_threads'
import { runWorkerLoop } from './worker-loop.ts'

runWorkerLoop(workerData, (message) => parentPort?.postMessage(message))
