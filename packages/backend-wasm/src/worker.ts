import { runWorkerLoop, type WorkerReply, type WorkerStart } from './worker-loop.ts'

const reply = (message: WorkerReply): void => postMessage(message)
addEventListener('message', (event: MessageEvent<WorkerStart>) => runWorkerLoop(event.data, reply), { once: true })
addEventListener('messageerror', () => reply({ type: 'failed', message: 'the shared memory did not reach it' }))
