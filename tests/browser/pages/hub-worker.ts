import { hub } from './hub.ts'

self.addEventListener('message', ({ data }) => {
  void hub(data).then((outcome) => self.postMessage(outcome))
})
