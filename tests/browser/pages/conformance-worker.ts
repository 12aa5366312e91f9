import { conformance } from './conformance.ts'

self.addEventListener('message', ({ data }) => {
  conformance(data).then(
    (report) => self.postMessage(report),
    (error: unknown) => self.postMessage(String(error)),
  )
})
