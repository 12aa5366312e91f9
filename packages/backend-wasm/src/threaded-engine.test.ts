import { expect, test, vi } from 'vitest'
import { wasm } from './index.ts'
import type { ThreadEvents } from './platform-node.ts'

const terminated: number[] = []

// What a browser does for a script of another origin: the constructor throws. Here for the second thread.
vi.mock('#platform', async (original) => ({
  ...(await original<typeof import('./platform-node.ts')>()),
  startThread({ thread }: { readonly thread: number }, { onReply }: ThreadEvents) {
    if (thread === 1) throw new Error('not of this origin')
    queueMicrotask(() => onReply({ type: 'ready' }))
    return { terminate: async () => void terminated.push(thread) }
  },
}))

test('a thread that cannot be started makes an error that says what to do, and ends the others', async () => {
  const opening = wasm({ threads: 3 }).open({ numerics: 'fast' })
  await expect(opening).rejects.toMatchObject({ code: 'backend-unavailable', message: expect.stringMatching(/not of this origin.*shared: false/) })
  expect(new Set(terminated)).toEqual(new Set([0, 2]))
})
