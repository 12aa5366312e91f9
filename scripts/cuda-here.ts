/** CUDA on this machine: a card, and where there is none, the emulated driver. */
import { existsSync } from 'node:fs'
import { type CudaOptions, cudaDevices } from '../packages/backend-cuda/src/index.ts'

/** A bundle for another machine has what is built, and no sources of it. */
const isCheckout = existsSync(new URL('../packages/backend-cuda/native', import.meta.url))

/** What `cuda()` takes here. In a checkout all that it needs is built. @throws Error that says what is missing */
export async function cudaHere(): Promise<CudaOptions> {
  if (!isCheckout) return firstCard()
  const { build } = await import('../packages/backend-cuda/native/build.ts')
  const { emulated: driver } = await build({ addon: true })
  try {
    const card = firstCard()
    await build({ ptx: true })
    return card
  } catch (error) {
    console.error(`CUDA is emulated: ${error instanceof Error ? error.message : String(error)}`)
    await build({ emulated: true })
    return { driver }
  }
}

function firstCard(): CudaOptions {
  const cards = cudaDevices()
  const { index: device, name, problem } = cards.find((card) => card.problem === undefined) ?? cards[0]
  if (problem !== undefined) throw new Error(`${name} cannot be used: ${problem}`)
  return { device }
}
