/** The browser's own WebGPU. */
export async function findGpu(): Promise<GPU | undefined> {
  return navigator.gpu
}

export const whereToGetIt = 'Use a browser that has it (Chrome and Edge 113, Safari 26, Firefox 141 or later) over https, or the WASM backend.'
