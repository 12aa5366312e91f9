import { describe, expect, test } from 'vitest'
import { f16ToF32, f32ToF16 } from './half.ts'

const halves = Uint16Array.from({ length: 65536 }, (_, bits) => bits)
const values = new Float32Array(halves.length)
f16ToF32(new Uint8Array(halves.buffer), values)
const isNan = (bits: number): boolean => (bits & 0x7fff) > 0x7c00

describe('f32 to f16', () => {
  test('gives back every half, and NaN for NaN', () => {
    const back = f32ToF16(values)
    expect(halves.filter((bits) => (isNan(bits) ? !isNan(back[bits]) : back[bits] !== bits))).toEqual(new Uint16Array())
  })

  test('rounds to the nearest: a tie to the even one, and beyond the largest to infinity', () => {
    // Between neighbours lies their mean, exactly in f32; beside it, what is nearer to one of them.
    const wrong: number[] = []
    for (let bits = 0; bits < 0x7bff; bits++) {
      const middle = (values[bits] + values[bits + 1]) / 2
      const step = middle * 2 ** -20
      const [below, tie, above] = f32ToF16(Float32Array.of(middle - step, middle, -middle - step))
      if (below !== bits || tie !== (bits % 2 === 0 ? bits : bits + 1) || above !== (bits + 1) + 0x8000) wrong.push(bits)
    }
    expect(wrong).toEqual([])
    expect([...f32ToF16(Float32Array.of(65519, 65520, 1e38, -Infinity))]).toEqual([0x7bff, 0x7c00, 0x7c00, 0xfc00])
  })
})
