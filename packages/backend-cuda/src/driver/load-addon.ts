import { createRequire } from 'node:module'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { GemmaError } from '@facetjs/core/backend'
import { packageRoot } from '../package-root.ts'
import type { Addon } from './addon.ts'

/**
 * The addon of this platform: what the environment's FACET_CUDA_ADDON names, else the one that was built here, else the one that came as a package of
 * its own.
 * @throws GemmaError `backend-unavailable`
 */
export function loadAddon(): Addon {
  const require = createRequire(import.meta.url)
  const platform = `${process.platform}-${process.arch}`
  const named = process.env['FACET_CUDA_ADDON']
  const places = named === undefined || named === '' ? [fileURLToPath(new URL('build/facet-cuda.node', packageRoot)), `@facetjs/backend-cuda-${platform}`] : [named]
  const refusals: Error[] = []
  for (const place of places) {
    try {
      return require(place)
    } catch (error) {
      if (error instanceof Error && !isMissing(error, place)) refusals.push(error)
    }
  }
  const [cause] = refusals
  const why = cause?.message ?? `there is none for ${platform}`
  throw new GemmaError(
    'backend-unavailable',
    `The CUDA backend's addon cannot be loaded: ${why}. In a checkout, run node native/build.ts addon in packages/backend-cuda; elsewhere see that npm installs optional dependencies, or use another backend.`,
    { cause, details: { platform } },
  )
}

/** Not there at all, unlike one that is there and does not load. */
function isMissing(error: Error, place: string): boolean {
  return 'code' in error && error.code === 'MODULE_NOT_FOUND' && error.message.includes(place)
}
