import type { VisionConfig } from '@facetjs/core'
import { formatTokens } from '../format.ts'

/** What images take of the context. (The few tokens around each are not among it.) */
export function formatImageTokens(images: number, { mmTokensPerImage }: VisionConfig): string {
  const tokens = formatTokens(images * mmTokensPerImage)
  return images === 1 ? tokens : `${tokens} (${images} images of ${mmTokensPerImage})`
}
