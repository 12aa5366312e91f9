import { runWorkerLoop, type WorkerStart } from './worker-loop.ts'

addEventListener('message', (event: MessageEvent<WorkerStart>) => runWorkerLoop(event.data, (message) => postMessage(message)), { once: true })
