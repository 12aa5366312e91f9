/** A server's model. What speaks to servers is loaded when one is asked for; nothing is sent before that. */
import type { CustomEngine } from '@facetjs/core'
import type { ServerModel } from './chosen-model.ts'

/** @param key empty: none */
export function createServerEngine({ address, model, size }: ServerModel, key: string): CustomEngine {
  return {
    key: JSON.stringify(['server', address, model, size, key]),
    async open(hooks) {
      const { remoteEngine } = await import('@facetjs/remote')
      return await remoteEngine({ baseUrl: address, model, ...(key !== '' && { apiKey: key }), ...(size && { config: size }) }).open(hooks)
    },
  }
}
