/**
 * A WebAssembly module with two loops, written byte by byte so that nothing stands between the instruction and the measurement.
 * - read(from, end): sums [from, end) of memory in 128-byte steps, eight v128 loads each, four running sums.
 * - dot(count, 0): `count` steps of ten independent relaxed dot products. Only with `relaxed`.
 */
const accumulators = 10
/** Multiply-accumulates of one step of `dot`. */
export const dotMacs: number = accumulators * 16

const op = {
  loop: [0x03, 0x40],
  end: [0x0b],
  branchIf: [0x0d, 0x00],
  i32Const: (value: number): number[] => [0x41, ...signed(value)],
  i32Add: [0x6a],
  i32Sub: [0x6b],
  i32LtU: [0x49],
  get: (local: number): number[] => [0x20, local],
  set: (local: number): number[] => [0x21, local],
  tee: (local: number): number[] => [0x22, local],
  load128: (offset: number): number[] => [...simd(0x00), 0x04, ...unsigned(offset)],
  splat: simd(0x11),
  lane0: [...simd(0x1b), 0x00],
  add4: simd(0xae),
  relaxedDot: simd(0x113),
}
/** The magic number and version 1. */
const header = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]
const v128 = 0x7b
const i32 = 0x7f

export function limitsModule(pages: number, relaxed: boolean): Uint8Array<ArrayBuffer> {
  const bodies = relaxed ? [readBody(), dotBody()] : [readBody()]
  const names = ['read', 'dot'].slice(0, bodies.length)
  return Uint8Array.from([
    ...header,
    ...section(1, [[0x60, 2, i32, i32, 1, i32]]), // (i32, i32) → i32
    ...section(2, [[...text('env'), ...text('memory'), 0x02, 0x00, ...unsigned(pages)]]),
    ...section(3, bodies.map(() => [0])),
    ...section(7, names.map((name, index) => [...text(name), 0x00, index])),
    ...section(10, bodies.map((body) => [...unsigned(body.length), ...body])),
  ])
}

/** Parameters 0 at, 1 end; sums in locals 2 … 5. */
function readBody(): number[] {
  const sums = [2, 3, 4, 5]
  const loads = Array.from({ length: 8 }, (_, i) => {
    const sum = sums[i % sums.length]
    return [...op.get(sum), ...op.get(0), ...op.load128(16 * i), ...op.add4, ...op.set(sum)]
  })
  const next = [...op.get(0), ...op.i32Const(128), ...op.i32Add, ...op.tee(0), ...op.get(1), ...op.i32LtU, ...op.branchIf]
  return func(sums.length, [...op.loop, ...loads.flat(), ...next, ...op.end, ...total(sums)])
}

/** Parameters 0 count, 1 unused; operands in locals 2 and 3 (bytes of 1), sums in 4 … 13. */
function dotBody(): number[] {
  const sums = Array.from({ length: accumulators }, (_, i) => 4 + i)
  const operands = [2, 3].flatMap((local) => [...op.i32Const(0x01010101), ...op.splat, ...op.set(local)])
  const dots = sums.flatMap((sum) => [...op.get(2), ...op.get(3), ...op.get(sum), ...op.relaxedDot, ...op.set(sum)])
  const next = [...op.get(0), ...op.i32Const(1), ...op.i32Sub, ...op.tee(0), ...op.branchIf]
  return func(2 + accumulators, [...operands, ...op.loop, ...dots, ...next, ...op.end, ...total(sums)])
}

const func = (v128Locals: number, code: readonly number[]): number[] => [1, v128Locals, v128, ...code, ...op.end]
const total = (sums: readonly number[]): number[] => [...sums.flatMap((sum, i) => [...op.get(sum), ...(i > 0 ? op.add4 : [])]), ...op.lane0]
const text = (name: string): number[] => [name.length, ...new TextEncoder().encode(name)]

function section(id: number, items: readonly (readonly number[])[]): number[] {
  const content = [...unsigned(items.length), ...items.flat()]
  return [id, ...unsigned(content.length), ...content]
}

function simd(code: number): number[] {
  return [0xfd, ...unsigned(code)]
}

/** LEB128. */
function unsigned(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...unsigned(value >>> 7)]
}

function signed(value: number): number[] {
  const low = value & 127
  const rest = value >> 7
  return (rest === 0 && low < 64) || (rest === -1 && low >= 64) ? [low] : [low | 128, ...signed(rest)]
}
