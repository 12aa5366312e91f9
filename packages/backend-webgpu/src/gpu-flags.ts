/** WebGPU's numbers, which are globals only in browsers. https://gpuweb.github.io/gpuweb/#namespacedef-gpubufferusage */
export const bufferUsage = { mapRead: 0x1, copySrc: 0x4, copyDst: 0x8, uniform: 0x40, storage: 0x80, queryResolve: 0x200 } as const

export const mapModeRead = 0x1
