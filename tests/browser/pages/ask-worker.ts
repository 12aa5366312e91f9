/** Sends a worker of its own one message, and gives back its answer. */
export async function askWorker<T>(workerAddress: string, request: unknown): Promise<T> {
  const worker = new Worker(workerAddress, { type: 'module' })
  try {
    return await new Promise((resolve, reject) => {
      worker.addEventListener('message', ({ data }) => resolve(data))
      worker.addEventListener('error', ({ message }) => reject(new Error(message)))
      worker.postMessage(request)
    })
  } finally {
    worker.terminate()
  }
}
