import { describe, expect, test } from 'vitest'
import { encodedByteLength } from '@facetjs/core/backend'
import { createRandom, dequantize, randomNormals, randomWeightBytes } from '@facetjs/core/testing'
import { type Activations, buildNames, type DotKind, dotKinds, type Kernels, type KernelType } from '../native/testing.ts'
import { loadKernels, type Matrix, type operands, weightTypes } from '../native/testing.ts'

const blocked = (type: KernelType): boolean => !['f32', 'f16', 'bf16'].includes(type)

/** A random matrix, in the kernels' memory and as plain numbers f32 [rows, width]. */
interface Weights {
  readonly matrix: Matrix
  readonly values: Float32Array
}

interface WeightsOptions {
  /** Rows before which the repacking is cut. */
  readonly cuts?: readonly number[]
  /** In the layout of fast numerics; `values` are then what the layout holds. */
  readonly fast?: boolean
}

function weightsOf(kernels: Kernels, type: KernelType, rows: number, width: number, encoded: Uint8Array, { cuts = [], fast = false }: WeightsOptions = {}): Weights {
  const matrix = kernels.matrix(type, rows, width, fast)
  const rowBytes = encodedByteLength(type, width)
  const edges = [0, ...cuts, rows]
  for (let i = 1; i < edges.length; i++) {
    kernels.repack(matrix, edges[i - 1], edges[i] - edges[i - 1], encoded.subarray(edges[i - 1] * rowBytes, edges[i] * rowBytes))
  }
  const values = new Float32Array(rows * width)
  if (matrix.layout === 'i16') for (let r = 0; r < rows; r++) values.set(kernels.row(matrix, r), r * width)
  else dequantize(type, encoded, values)
  return { matrix, values }
}

/** x · weightᵀ in f64, [x rows, w rows]. */
interface Product {
  readonly values: Float64Array
  /** Σ of the squares of all the products added up: what Σ values² is about where signs are random. */
  readonly energy: number
}

function product(x: ArrayLike<number>, w: ArrayLike<number>, width: number): Product {
  const rows = w.length / width
  const values = new Float64Array((x.length / width) * rows)
  let energy = 0
  for (let i = 0; i < values.length; i++) {
    const [xAt, wAt] = [Math.floor(i / rows) * width, (i % rows) * width]
    for (let c = 0; c < width; c++) {
      const term = x[xAt + c] * w[wAt + c]
      values[i] += term
      energy += term ** 2
    }
  }
  return { values, energy }
}

/** NMSE; a single result may cancel to nothing, so its own size is no measure. */
function nmse(result: Float32Array, expected: Product): number {
  const error = expected.values.reduce((sum, value, i) => sum + (result[i] - value) ** 2, 0)
  return expected.energy === 0 ? error : error / expected.energy
}

/** What matmul.h says of quantised activations, in f64 but for the f32 scale. */
function quantized(values: Float32Array, most: 127 | 32767): { readonly quants: Int16Array; readonly scales: Float32Array; readonly values: Float64Array } {
  const quants = new Int16Array(values.length)
  const scales = new Float32Array(values.length / 32)
  for (let b = 0; b < scales.length; b++) {
    const block = values.subarray(32 * b, 32 * b + 32)
    const max = block.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0)
    scales[b] = max < 2 ** -100 ? 0 : max / most
    const inverse = Math.fround(most / max)
    for (let i = 0; i < 32; i++) quants[32 * b + i] = scales[b] === 0 ? 0 : nearestEven(Math.fround(block[i] * inverse))
  }
  return { quants, scales, values: Float64Array.from(quants, (q, i) => q * scales[i >> 5]) }
}

/** What int16.h says of a row, in f64 but for the f32 scale. */
function packed(row: Float32Array): { readonly scale: number; readonly values: Float64Array } {
  const length = Math.sqrt(row.reduce((sum, value) => sum + value ** 2, 0))
  const scale = Math.fround(Math.max(length / 46_000, row.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0) / 32_767))
  const inverse = Math.fround(1 / scale)
  return { scale, values: Float64Array.from(row, (value) => (scale === 0 ? 0 : nearestEven(Math.fround(value * inverse)) * scale)) }
}

function packedRows(values: Float32Array, width: number): Float64Array {
  const out = new Float64Array(values.length)
  for (let at = 0; at < values.length; at += width) out.set(packed(values.subarray(at, at + width)).values, at)
  return out
}

function nearestEven(value: number): number {
  const floor = Math.floor(value)
  if (value - floor !== 0.5) return Math.round(value)
  return floor % 2 === 0 ? floor : floor + 1
}

const bits = (values: Float32Array): Uint32Array => new Uint32Array(values.buffer, values.byteOffset, values.length)

describe.each(buildNames)('%s', (build) => {
  const kernels = loadKernels(build, 64)
  const fresh = (): Kernels => {
    kernels.reset()
    return kernels
  }

  describe.each(weightTypes)('%s', (type) => {
    test('rows come back bit for bit, however the repacking is cut', () => {
      const [rows, width] = [19, blocked(type) ? 768 : 75]
      const encoded = randomWeightBytes(createRandom(1), type, rows * width, 1)
      const whole = weightsOf(fresh(), type, rows, width, encoded)
      const cut = weightsOf(kernels, type, rows, width, encoded, { cuts: [1, 2, 7, 8, 16, 18] })
      for (let r = 0; r < rows; r++) expect(bits(kernels.row(whole.matrix, r))).toEqual(bits(whole.values.slice(r * width, (r + 1) * width)))
      const bytes = (m: Matrix): Uint8Array => new Uint8Array(kernels.memory, m.data, m.bytes)
      expect(Buffer.compare(bytes(cut.matrix), bytes(whole.matrix))).toBe(0)
    })

    test.each([1, 2, 3, 4, 5, 6, 7, 8, 9])('exact, %i rows', (rows) => {
      for (const width of blocked(type) ? [256, 768] : [1, 3, 31, 32, 33, 66, 256]) {
        for (const outWidth of [1, 8, 13]) {
          const random = createRandom(rows + width)
          const { matrix, values } = weightsOf(fresh(), type, outWidth, width, randomWeightBytes(random, type, outWidth * width, 1))
          const x = randomNormals(random, rows * width)
          const activations = kernels.activations(x, rows)
          const result = kernels.matmul(matrix, activations, 8, 'exact')
          expect(nmse(result, product(x, values, width))).toBeLessThan(1e-11)
          expectRowsAlone(kernels, matrix, activations, 'exact', result)
        }
      }
    })

    test.each(dotKinds.flatMap((dot) => [1, 2, 3, 4, 5, 6, 7, 8, 9].map((rows) => ({ dot, rows }))))('fast $dot, $rows rows', ({ dot, rows }) => {
      for (const width of blocked(type) ? [256, 768] : [1, 3, 66, 256, 1150]) {
        for (const outWidth of [1, 8, 13]) {
          const random = createRandom(rows + width)
          const { matrix, values } = weightsOf(fresh(), type, outWidth, width, randomWeightBytes(random, type, outWidth * width, 1), { fast: true })
          const x = randomNormals(random, rows * width)
          const activations = kernels.activations(x, rows)
          const result = kernels.matmul(matrix, activations, 8, dot)
          const operand = operandOf(kernels, type, dot, x, width)
          expect(nmse(result, product(operand, values, width))).toBeLessThan(1e-12)
          expectRowsAlone(kernels, matrix, activations, dot, result)
        }
      }
    })
  })

  test.each(weightTypes.filter(blocked))('%s: no sum saturates where all quants are at an end and activations at ±127', (type) => {
    const width = 256
    for (const byte of [0xff, 0x80, 0x7f, 0x00]) {
      const encoded = randomWeightBytes(createRandom(3), type, 8 * width, 1)
      fillQuants(type, encoded, byte)
      const { matrix, values } = weightsOf(fresh(), type, 8, width, encoded)
      for (const signs of [[1, 1], [-1, -1], [1, -1]]) {
        const x = Float32Array.from({ length: 3 * width }, (_, i) => signs[i % 2] * 2)
        const activations = kernels.activations(x, 3)
        expect(activations.quants.every((q) => Math.abs(q) === 127)).toBe(true)
        const expected = product(quantized(x, 127).values, values, width) // ±2 is exact in either form
        const scale = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0) * 2 * width
        for (const dot of dotKinds) {
          const result = kernels.matmul(matrix, activations, 8, dot)
          for (let i = 0; i < result.length; i++) expect(Math.abs(result[i] - expected.values[i])).toBeLessThanOrEqual(1e-6 * scale)
        }
      }
    }
  })

  test.each(weightTypes.filter(blocked))('%s: both ways to multiply 8-bit activations give the same bits', (type) => {
    const random = createRandom(4)
    const { matrix } = weightsOf(fresh(), type, 24, 512, randomWeightBytes(random, type, 24 * 512, 1))
    const activations = kernels.activations(randomNormals(random, 5 * 512), 5)
    const [pairs, quads] = (['pairs', 'quads'] as const).map((dot) => kernels.matmul(matrix, activations, 8, dot))
    expect(bits(pairs)).toEqual(bits(quads))
  })

  test('the operand of each encoding', () => {
    const relaxed = build.startsWith('relaxed')
    for (const type of weightTypes) {
      for (const dot of dotKinds) {
        const expected: (typeof operands)[number] =
          type === 'f32' ? 'values' : !blocked(type) ? 'packs' : relaxed && dot !== 'widen' && type !== 'q8_0' ? 'q8' : 'q16'
        expect(kernels.operand(type, dot)).toBe(expected)
      }
    }
  })

  test('activations are quantised as matmul.h says', () => {
    const x = randomNormals(createRandom(5), 3 * 256, 1)
    x.fill(0, 0, 32)
    x.subarray(32, 64).forEach((value, i, block) => (block[i] = value * 1e5))
    x.subarray(64, 96).forEach((value, i, block) => (block[i] = value * 1e-40))
    x.subarray(96, 128).forEach((value, i, block) => (block[i] = value * 1e-20))
    x.fill(-7.25, 128, 160)
    x.subarray(160, 192).forEach((_, i, block) => (block[i] = (i - 15.5) * 0.5))
    x[191] = 127
    const activations = fresh().activations(x, 3)
    for (const [most, found] of [
      [127, { quants: Int16Array.from(activations.quants), scales: activations.scales, sums: activations.sums }],
      [32767, { quants: activations.quants16.slice(), scales: activations.scales16, sums: activations.sums16 }],
    ] as const) {
      const { quants, scales } = quantized(x, most)
      expect(found.quants).toEqual(quants)
      expect(bits(found.scales.slice())).toEqual(bits(scales))
      const sum = (from: number, to: number): number => quants.subarray(from, to).reduce((total, q) => total + q, 0)
      const block = (at: number): number[] => [sum(at, at + 32), sum(at, at + 16)]
      expect([...found.sums]).toEqual([...scales.keys()].flatMap((b) => block(32 * b)))
    }
  })

  test('NaN and infinity among the activations reach the result', () => {
    for (const type of ['q4_0', 'bf16'] as const) {
      for (const fast of [false, true]) {
        const { matrix } = weightsOf(fresh(), type, 8, 64, randomWeightBytes(createRandom(6), type, 8 * 64, 1), { fast })
        for (const value of [NaN, Infinity, -Infinity]) {
          const x = randomNormals(createRandom(7), 64)
          x[40] = value
          for (const kind of fast ? dotKinds : (['exact'] as const)) {
            expect(kernels.matmul(matrix, kernels.activations(x, 1), 8, kind).every((y) => !Number.isFinite(y))).toBe(true)
          }
        }
      }
    }
  })

  test('large and tiny weights and activations', () => {
    for (const type of weightTypes) {
      const random = createRandom(8)
      const encoded = randomWeightBytes(random, type, 8 * 256, 0.1)
      const { matrix, values } = weightsOf(fresh(), type, 8, 256, encoded)
      const x = Float32Array.from(randomNormals(random, 2 * 256), (value, i) => value * (i % 64 < 32 ? 1e5 : 1e-4))
      const activations = kernels.activations(x, 2)
      expect(nmse(kernels.matmul(matrix, activations, 8, 'exact'), product(x, values, 256))).toBeLessThan(1e-11)
      const fast = weightsOf(kernels, type, 8, 256, encoded, { fast: true })
      for (const dot of dotKinds) {
        expect(nmse(kernels.matmul(fast.matrix, activations, 8, dot), product(operandOf(kernels, type, dot, x, 256), fast.values, 256))).toBeLessThan(1e-11)
      }
    }
  })

  test.each(['f16', 'bf16'] as const)('%s as 16-bit integers: within half a unit of the row\'s scale, however the repacking is cut', (type) => {
    const random = createRandom(11)
    for (const width of [1, 5, 64, 1152, 4304]) {
      const encoded = randomWeightBytes(random, type, 11 * width, 1)
      const { matrix, values } = weightsOf(fresh(), type, 11, width, encoded, { fast: true })
      const cut = weightsOf(kernels, type, 11, width, encoded, { fast: true, cuts: [1, 6, 8] })
      const bytes = (m: Matrix): Uint8Array => new Uint8Array(kernels.memory, m.data, m.bytes)
      expect(Buffer.compare(bytes(cut.matrix), bytes(matrix))).toBe(0)
      const exact = new Float32Array(11 * width)
      dequantize(type, encoded, exact)
      for (let at = 0; at < exact.length; at += width) {
        const { scale } = packed(exact.subarray(at, at + width))
        for (let c = at; c < at + width; c++) expect(Math.abs(values[c] - exact[c])).toBeLessThanOrEqual(0.501 * scale)
      }
    }
  })

  test('16-bit integers: no product overflows where both rows point the same way, be they flat, spiky or a single number', () => {
    const shapes = { flat: () => 1, spiky: (c: number) => (c % 97 === 3 ? 50 : 0.01), single: (c: number) => (c === 5 ? 3 : 0), ramp: (c: number) => c / 4 - 8, signs: (c: number) => (c % 2 ? 2 : -2) }
    for (const width of [8, 1152, 4304, 15360]) {
      for (const shape of Object.values(shapes)) {
        const row = Float32Array.from({ length: width }, (_, c) => shape(c))
        const bits16 = Uint16Array.from(new Uint32Array(row.buffer), (word) => word >>> 16) // bf16, cut off
        const w = Float32Array.from(new Float32Array(Uint32Array.from(bits16, (word) => word << 16).buffer))
        const { matrix } = weightsOf(fresh(), 'bf16', 1, width, new Uint8Array(bits16.buffer), { fast: true })
        const opposite = w.map((value) => -value)
        const x = Float32Array.from([...w, ...opposite, ...w, ...w, ...opposite]) // 4 rows together, and one alone
        const length = w.reduce((sum, value) => sum + value ** 2, 0)
        const result = kernels.matmul(matrix, kernels.activations(x, 5), 8, 'widen')
        for (const [i, sign] of [1, -1, 1, 1, -1].entries()) expect(Math.abs(result[i] / length - sign)).toBeLessThan(0.01) // equal numbers are rounded alike
      }
    }
  })

  test('every f16 is decoded exactly', () => {
    const encoded = new Uint8Array(Uint16Array.from({ length: 65536 }, (_, i) => i).buffer)
    const { matrix, values } = weightsOf(fresh(), 'f16', 1, 65536, encoded)
    expect(Buffer.compare(new Uint8Array(kernels.row(matrix, 0).buffer), new Uint8Array(values.buffer))).toBe(0)
  })

  test('f16 block scales: subnormal, zero and infinite', () => {
    for (const scale of [0x0001, 0x03ff, 0x0000, 0x8000, 0x8001, 0x7bff]) {
      const encoded = randomWeightBytes(createRandom(9), 'q8_0', 8 * 32, 1)
      for (let block = 0; block < encoded.length; block += 34) new DataView(encoded.buffer).setUint16(block, scale, true)
      const { matrix, values } = weightsOf(fresh(), 'q8_0', 8, 32, encoded)
      expect(bits(kernels.row(matrix, 3))).toEqual(bits(values.slice(96, 128)))
      const x = randomNormals(createRandom(10), 32)
      expect(nmse(kernels.matmul(matrix, kernels.activations(x, 1), 8, 'widen'), product(quantized(x, 32767).values, values, 32))).toBeLessThan(1e-12)
    }
  })
})

/** A row's result, bit for bit, whatever it is computed together with. */
function expectRowsAlone(kernels: Kernels, matrix: Matrix, x: Activations, kind: DotKind | 'exact', together: Float32Array): void {
  for (const batch of [1, 3]) expect(bits(kernels.matmul(matrix, x, batch, kind))).toEqual(bits(together))
}

/** What a fast product of this kind multiplies by. */
function operandOf(kernels: Kernels, type: KernelType, dot: DotKind, x: Float32Array, width: number): ArrayLike<number> {
  switch (kernels.operand(type, dot)) {
    case 'values': return x
    case 'q8': return quantized(x, 127).values
    case 'q16': return quantized(x, 32767).values
    case 'packs': return packedRows(x, width)
  }
}

/** Sets every byte of the quants; scales stay. */
function fillQuants(type: KernelType, encoded: Uint8Array, byte: number): void {
  const { block, from, to } = quantBytes[type] ?? { block: 1, from: 0, to: 0 }
  for (let at = 0; at < encoded.length; at += block) encoded.fill(byte, at + from, at + to)
}

const quantBytes: Partial<Record<KernelType, { readonly block: number; readonly from: number; readonly to: number }>> = {
  q4_0: { block: 18, from: 2, to: 18 },
  q4_1: { block: 20, from: 4, to: 20 },
  q5_0: { block: 22, from: 2, to: 22 },
  q5_1: { block: 24, from: 4, to: 24 },
  q8_0: { block: 34, from: 2, to: 34 },
  q4_k: { block: 144, from: 16, to: 144 },
  q5_k: { block: 176, from: 16, to: 176 },
  q6_k: { block: 210, from: 0, to: 192 },
}
