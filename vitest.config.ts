import { existsSync } from 'node:fs'
import process from 'node:process'
import { defineConfig } from 'vitest/config'

// Tests read the packages' sources: nothing has to be built first.
const conditions = ['@facetjs/source']

// WebGPU without a GPU: Vulkan on the CPU, which Debian's chromium brings. The tests' processes inherit it.
const chromium = '/usr/lib/chromium'
if (process.env['VK_DRIVER_FILES'] === undefined && existsSync(`${chromium}/vk_swiftshader_icd.json`)) {
  process.env['VK_DRIVER_FILES'] = `${chromium}/vk_swiftshader_icd.json`
  process.env['LD_LIBRARY_PATH'] = [chromium, ...(process.env['LD_LIBRARY_PATH'] ?? '').split(':').filter((folder) => folder !== '')].join(':')
}

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions: [...conditions, 'node', 'module'] } },
  test: {
    include: ['packages/*/src/**/*.test.ts', 'scripts/**/*.test.ts', 'tests/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
})
