import { decodeHere } from './images.ts'

self.addEventListener('message', ({ data }) => {
  void decodeHere(data).then((outcomes) => self.postMessage(outcomes))
})
