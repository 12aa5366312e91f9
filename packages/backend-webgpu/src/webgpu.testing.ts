/** For tests: where there is no adapter they are skipped with the reason, and in CI they fail. */
import { openDevice } from './device.ts'

export async function whyNoWebGpu(): Promise<string | undefined> {
  try {
    const device = await openDevice({})
    device.destroy()
    return undefined
  } catch (error) {
    if (process.env['FACET_REQUIRE_CHROMIUM'] === '1') throw error // whose SwiftShader is the adapter
    return error instanceof Error ? error.message : String(error)
  }
}
