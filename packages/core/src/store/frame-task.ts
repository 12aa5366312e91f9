/** Hidden pages get no animation frames. */
const LONGEST_WAIT_MS = 250
/** Where there are no frames at all. */
const FRAME_MS = 16

/** Work that many ask for and that is done once a frame. */
export interface FrameTask {
  /** It is done at the next animation frame. */
  request(): void
  /** It is not done after all. */
  cancel(): void
}

export function createFrameTask(work: () => void): FrameTask {
  let stop: (() => void) | undefined
  const cancel = (): void => {
    stop?.()
    stop = undefined
  }
  return {
    cancel,
    request() {
      stop ??= nextFrame(() => {
        cancel()
        work()
      })
    },
  }
}

function nextFrame(callback: () => void): () => void {
  if (typeof requestAnimationFrame !== 'function') {
    const timer = setTimeout(callback, FRAME_MS)
    return () => clearTimeout(timer)
  }
  const frame = requestAnimationFrame(callback)
  const timer = setTimeout(callback, LONGEST_WAIT_MS)
  return () => {
    cancelAnimationFrame(frame)
    clearTimeout(timer)
  }
}
