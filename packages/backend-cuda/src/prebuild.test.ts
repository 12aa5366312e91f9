import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import process from 'node:process'
import { describe, expect, it } from 'vitest'
import { build } from '../native/build.ts'
import { platforms, prebuiltAt } from '../native/prebuild.ts'

/** Whose code a file has: 'elf' with its e_machine (62 is x86-64, 183 AArch64), 'pe' with its Machine (0x8664 is x86-64). */
function formatOf(bytes: Buffer): readonly [format: string, machine: number] {
  if (bytes.toString('latin1', 1, 4) === 'ELF') return ['elf', bytes.readUInt16LE(18)]
  if (bytes.toString('latin1', 0, 2) === 'MZ') return ['pe', bytes.readUInt16LE(bytes.readUInt32LE(0x3c) + 4)]
  return ['unknown', 0]
}

const formats = { 'linux-x64': ['elf', 62], 'linux-arm64': ['elf', 183], 'win32-x64': ['pe', 0x8664] } as const

for (const platform of platforms) {
  const file = prebuiltAt(platform)
  const isBuilt = existsSync(file)
  const reason = isBuilt ? '' : ' (skipped: not built; native/prebuild.ts makes it)'

  describe.skipIf(!isBuilt)(`the addon for ${platform}${reason}`, () => {
    it('is for that platform, and needs no C++ library', () => {
      const bytes = readFileSync(file)
      expect(formatOf(bytes)).toEqual(formats[platform])
      const foreign = ['libstdc++.so', 'libc++.so', 'libgcc_s.so', 'libc++.dll', 'libcuda.so', 'nvcuda.dll']
      expect(foreign.filter((name) => bytes.includes(name))).toEqual([])
    })

    it.runIf(platform.startsWith('linux-'))('needs no glibc after 2.28', () => {
      const minors = [...readFileSync(file, 'latin1').matchAll(/GLIBC_2\.(\d+)/g)].map(([, minor]) => Number(minor))
      expect(minors.length).toBeGreaterThan(0)
      expect(Math.max(...minors)).toBeLessThanOrEqual(28)
    })

    it.runIf(platform.startsWith('win32-'))('takes the functions of Node-API from node.exe', () => {
      const bytes = readFileSync(file)
      expect(['NODE.EXE', 'napi_create_reference', 'napi_queue_async_work'].filter((name) => !bytes.includes(name))).toEqual([])
    })

    // Node 24 of this repository, and the machine's own.
    it.runIf(platform === `${process.platform}-${process.arch}`)('opens the emulated driver', async () => {
      const { emulated } = await build({ emulated: true })
      const script = 'const [addon, driver] = process.argv.slice(1); const { openDriver, driverVersion } = require(addon); console.log(driverVersion(openDriver(driver, 11040)))'
      for (const node of new Set([process.execPath, '/usr/bin/node'].filter((each) => existsSync(each)))) {
        expect(execFileSync(node, ['-e', script, file, emulated], { encoding: 'utf8', env: { ...process.env, FACET_EMULATED_DRIVER: '12080' } }).trim(), node).toBe('12080')
      }
    })
  })
}
