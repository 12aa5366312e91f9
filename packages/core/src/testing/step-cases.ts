import type { BufferDecl, BufferName, BufferRole, Dim, DType, RunArgs, Step, WeightType } from '../backend.ts'
import { createPlanBuilder } from '../graph/plan-builder.ts'
import { candidatesOf } from '../sampling/candidates.ts'
import type { Content, StepCase } from './case.ts'
import { createRandom, randomNormals } from './random.ts'

interface Draft {
  readonly name: string
  readonly step: Step
  readonly buffers: Readonly<Record<BufferName, readonly [BufferRole, DType, ...Dim[]]>>
  readonly args: Omit<RunArgs, 'signal'>
  readonly contents?: Readonly<Record<BufferName, Content>>
  readonly outputs?: readonly BufferName[]
}

/** Rows that the buffers have beyond those of the run. */
const SPARE_ROWS = 3

function stepCase({ name, step, buffers, args, contents = {}, outputs }: Draft, index: number): StepCase {
  const limits = { rows: args.rows + SPARE_ROWS, taken: (args.taken ?? 0) + SPARE_ROWS }
  // A plan of single rows is what a token takes: backends have kernels of their own for it.
  const builder = createPlanBuilder(name, args.rows === 1 ? { ...limits, rows: 1 } : limits)
  for (const [buffer, [role, dtype, ...shape]] of Object.entries(buffers)) builder.buffer(role, buffer, dtype, shape)
  builder.section('step', () => builder.step(step))
  const plan = builder.build()
  const own = plan.buffers.filter((buffer: BufferDecl) => buffer.role === 'output').map((buffer) => buffer.name)
  return { name, op: step.op, plan, limits, args, seed: index + 1, contents, outputs: outputs ?? own }
}

const rowCounts: readonly number[] = [1, 2, 3, 4, 5, 6, 7, 8, 9]

const ints = (...values: number[]): Content => ({ kind: 'values', values })

function embedCases(): Draft[] {
  const shapes: readonly (readonly [WeightType, number])[] = [['f32', 37], ['f16', 40], ['bf16', 33], ['q8_0', 96], ['q6_k', 256], ['q4_0', 64], ['q5_0', 64], ['q4_k', 512]]
  const ends = shapes.map(([type, width]): Draft => ({
    name: `embed ${type} width ${width}, ids at both ends and outside`,
    step: { op: 'embed', ids: 'ids', table: 'table', out: 'out', scale: Math.fround(Math.sqrt(width)) },
    buffers: { ids: ['input', 'i32', 'rows'], table: ['weight', type, 19, width], out: ['output', 'f32', 'rows', width] },
    args: { rows: 5, position: 0 },
    contents: { ids: ints(0, 18, 7, 19, -1, 0, 0, 0) },
  }))
  // The one table here that is larger than what is made of it: a backend can be told to split it.
  const long: Draft = {
    name: 'embed q8_0 from 200 rows, in order',
    step: { op: 'embed', ids: 'ids', table: 'table', out: 'out', scale: 8 },
    buffers: { ids: ['input', 'i32', 'rows'], table: ['weight', 'q8_0', 200, 64], out: ['output', 'f32', 'rows', 64] },
    args: { rows: 10, position: 0 },
    contents: { ids: ints(0, 1, 55, 56, 57, 111, 112, 150, 198, 199) },
  }
  return [...ends, long]
}

function rowMoveCases(): Draft[] {
  return [
    {
      name: 'placeRows keeps rows whose index is −1',
      step: { op: 'placeRows', source: 'source', index: 'index', out: 'out' },
      buffers: { source: ['input', 'f32', 4, 35], index: ['input', 'i32', 'rows'], out: ['output', 'f32', 'rows', 35] },
      args: { rows: 6, position: 0 },
      contents: { index: ints(-1, 2, 0, -1, 3, 3, 0, 0, 0), out: { kind: 'normal', scale: 1 } },
    },
    {
      name: 'takeRows, out of order and twice',
      step: { op: 'takeRows', x: 'x', index: 'index', out: 'out' },
      buffers: { x: ['input', 'f32', 'rows', 35], index: ['input', 'i32', 'taken'], out: ['output', 'f32', 'taken', 35] },
      args: { rows: 7, position: 0, taken: 3 },
      contents: { index: ints(6, 0, 6, 1, 1, 1) },
    },
    ...[1, 2, 4].map((size): Draft => ({
      name: `avgPool ${size} × ${size} of 8 × 8`,
      step: { op: 'avgPool', x: 'x', out: 'out', size },
      buffers: { x: ['input', 'f32', 64, 13], out: ['output', 'f32', (8 / size) ** 2, 13] },
      args: { rows: 1, position: 0 },
    })),
  ]
}

function normCases(): Draft[] {
  return [1, 31, 33, 72, 640, 1152].flatMap((width): Draft[] => [
    {
      name: `rmsNorm width ${width}`,
      step: { op: 'rmsNorm', x: 'x', weight: 'weight', out: 'out', eps: 1e-6 },
      buffers: { x: ['input', 'f32', 'rows', width], weight: ['weight', 'f32', width], out: ['output', 'f32', 'rows', width] },
      args: { rows: 3, position: 0 },
    },
    {
      name: `rmsNorm width ${width} added to its residual in place, values past f16`,
      step: { op: 'rmsNorm', x: 'x', weight: 'weight', out: 'out', residual: 'out', eps: 1e-6 },
      buffers: { x: ['input', 'f32', 'rows', width], weight: ['weight', 'f32', width], out: ['output', 'f32', 'rows', width] },
      args: { rows: 5, position: 0 },
      contents: { out: { kind: 'normal', scale: 1e5 }, x: { kind: 'normal', scale: 300 } },
    },
    {
      name: `layerNorm width ${width}`,
      step: { op: 'layerNorm', x: 'x', weight: 'weight', bias: 'bias', out: 'out', eps: 1e-6 },
      buffers: { x: ['input', 'f32', 'rows', width], weight: ['weight', 'f32', width], bias: ['weight', 'f32', width], out: ['output', 'f32', 'rows', width] },
      args: { rows: 4, position: 0 },
    },
  ]).filter((draft) => !(draft.name.startsWith('layerNorm width 1') && draft.name.endsWith('width 1')))
}

/** Each encoding with an inWidth that its blocks divide; the unblocked ones also with widths that nothing divides. */
const matrixShapes: readonly (readonly [WeightType, inWidth: number, outWidth: number])[] = [
  ['f32', 37, 19], ['f32', 640, 33], ['f16', 72, 17], ['f16', 1, 5], ['bf16', 100, 31], ['bf16', 256, 8],
  ['q4_0', 32, 5], ['q4_0', 640, 36], ['q4_1', 96, 7], ['q5_0', 640, 33], ['q5_1', 64, 9],
  ['q8_0', 32, 3], ['q8_0', 640, 65], ['q4_k', 256, 6], ['q4_k', 1024, 35], ['q5_k', 512, 17], ['q6_k', 256, 7], ['q6_k', 2048, 21],
]

function linearCases(): Draft[] {
  const shapes = matrixShapes.flatMap(([type, inWidth, outWidth]) => [1, 3, 8].map((rows) => ({ type, inWidth, outWidth, rows })))
  const rows = rowCounts.map((count) => ({ type: 'q8_0' as const, inWidth: 64, outWidth: 18, rows: count }))
  const plain = [...shapes, ...rows].map(({ type, inWidth, outWidth, rows: count }): Draft => ({
    name: `linear ${type} [${outWidth}, ${inWidth}], ${count} rows`,
    step: { op: 'linear', x: 'x', weight: 'weight', out: 'out' },
    buffers: { x: ['input', 'f32', 'rows', inWidth], weight: ['weight', type, outWidth, inWidth], out: ['output', 'f32', 'rows', outWidth] },
    args: { rows: count, position: 0 },
  }))
  const full: Draft = {
    name: 'linear f16 with bias, gelu and a residual in place',
    step: { op: 'linear', x: 'x', weight: 'weight', out: 'out', bias: 'bias', activation: 'gelu', add: 'out' },
    buffers: { x: ['input', 'f32', 'rows', 40], weight: ['weight', 'f16', 27, 40], bias: ['weight', 'f32', 27], out: ['output', 'f32', 'rows', 27] },
    args: { rows: 6, position: 0 },
    contents: { out: { kind: 'normal', scale: 3 } },
  }
  const saturated: Draft = {
    name: 'linear f32 with gelu of values whose tanh is ±1',
    step: { op: 'linear', x: 'x', weight: 'weight', out: 'out', activation: 'gelu' },
    buffers: { x: ['input', 'f32', 'rows', 24], weight: ['weight', 'f32', 29, 24], out: ['output', 'f32', 'rows', 29] },
    args: { rows: 5, position: 0 },
    contents: { x: { kind: 'normal', scale: 60 } }, // tanh of thousands: a formula with exp overflows at 89
  }
  const table: Draft = {
    name: 'linear f32 with a table of positions added',
    step: { op: 'linear', x: 'x', weight: 'weight', out: 'out', bias: 'bias', add: 'table' },
    buffers: { x: ['input', 'f32', 'rows', 21], weight: ['weight', 'f32', 13, 21], bias: ['weight', 'f32', 13], table: ['weight', 'f32', 16, 13], out: ['output', 'f32', 'rows', 13] },
    args: { rows: 9, position: 0 },
  }
  const taken: Draft = {
    name: 'linear q8_0 over the taken rows',
    step: { op: 'linear', x: 'x', weight: 'weight', out: 'out' },
    buffers: { x: ['input', 'f32', 'taken', 64], weight: ['weight', 'q8_0', 50, 64], out: ['output', 'f32', 'taken', 50] },
    args: { rows: 5, position: 0, taken: 2 },
  }
  return [...plain, full, saturated, table, taken]
}

function gatedLinearCases(): Draft[] {
  const shapes = matrixShapes.map(([type, inWidth, outWidth], i): Draft => ({
    name: `gatedLinear ${type} [${outWidth}, ${inWidth}], up in ${i % 2 === 0 ? type : 'f32'}`,
    step: { op: 'gatedLinear', x: 'x', gate: 'gate', up: 'up', out: 'out' },
    buffers: {
      x: ['input', 'f32', 'rows', inWidth],
      gate: ['weight', type, outWidth, inWidth],
      up: ['weight', i % 2 === 0 ? type : 'f32', outWidth, inWidth],
      out: ['output', 'f32', 'rows', outWidth],
    },
    args: { rows: 1 + (i % 5), position: 0 },
  }))
  const saturated: Draft = {
    name: 'gatedLinear f32 of values whose tanh is ±1',
    step: { op: 'gatedLinear', x: 'x', gate: 'gate', up: 'up', out: 'out' },
    buffers: { x: ['input', 'f32', 'rows', 24], gate: ['weight', 'f32', 29, 24], up: ['weight', 'f32', 29, 24], out: ['output', 'f32', 'rows', 29] },
    args: { rows: 5, position: 0 },
    contents: { x: { kind: 'normal', scale: 60 } },
  }
  return [...shapes, saturated]
}

function normRopeStoreCases(): Draft[] {
  const shapes = [
    { rows: 1, position: 0, heads: 4, kvHeads: 1, headDim: 32, capacity: 16 },
    { rows: 5, position: 14, heads: 4, kvHeads: 2, headDim: 16, capacity: 16 }, // wraps around
    { rows: 9, position: 1000, heads: 3, kvHeads: 3, headDim: 10, capacity: 13 },
    { rows: 3, position: 7, heads: 4, kvHeads: 1, headDim: 256, capacity: 64 },
    { rows: 2, position: 70, heads: 32, kvHeads: 16, headDim: 128, capacity: 24 },
  ]
  return shapes.map(({ rows, position, heads, kvHeads, headDim, capacity }) => ({
    name: `normRopeStore ${heads}/${kvHeads} heads of ${headDim}, ${rows} rows at ${position} in a ring of ${capacity}`,
    step: { op: 'normRopeStore', q: 'q', k: 'k', v: 'v', qNorm: 'qNorm', kNorm: 'kNorm', rope: 'rope', kCache: 'kCache', vCache: 'vCache', eps: 1e-6 },
    buffers: {
      q: ['output', 'f32', 'rows', heads * headDim], k: ['input', 'f32', 'rows', kvHeads * headDim], v: ['input', 'f32', 'rows', kvHeads * headDim],
      qNorm: ['weight', 'f32', headDim], kNorm: ['weight', 'f32', headDim], rope: ['input', 'f32', 'rows', headDim],
      kCache: ['kv', 'f32', capacity, kvHeads * headDim], vCache: ['kv', 'f32', capacity, kvHeads * headDim],
    },
    args: { rows, position },
    contents: { q: { kind: 'normal', scale: 5 }, rope: { kind: 'rope' } },
    outputs: ['q', 'kCache', 'vCache'],
  }))
}

function attentionCases(): Draft[] {
  const shapes = [
    { name: 'one key', rows: 1, heads: 2, kvHeads: 1, headDim: 16, capacity: 8, begin: [0], end: [1] },
    { name: 'one row, 600 keys around the ring', rows: 1, heads: 2, kvHeads: 1, headDim: 20, capacity: 610, begin: [37], end: [637] },
    { name: 'causal chunk', rows: 6, heads: 4, kvHeads: 2, headDim: 32, capacity: 16, begin: [0, 0, 0, 0, 0, 0], end: [1, 2, 3, 4, 5, 6] },
    { name: 'sliding window around the ring', rows: 5, heads: 4, kvHeads: 1, headDim: 24, capacity: 13, begin: [20, 21, 22, 23, 24], end: [26, 27, 28, 29, 30] },
    { name: 'an image block that sees itself', rows: 7, heads: 6, kvHeads: 3, headDim: 20, capacity: 32, begin: [0, 1, 2, 3, 4, 5, 6], end: [9, 14, 14, 14, 14, 14, 15] },
    { name: 'the whole sequence, head width 72', rows: 9, heads: 2, kvHeads: 2, headDim: 72, capacity: 9, begin: Array.from({ length: 9 }, () => 0), end: Array.from({ length: 9 }, () => 9) },
    { name: '300 keys, head width 256', rows: 2, heads: 4, kvHeads: 1, headDim: 256, capacity: 320, begin: [5, 6], end: [304, 305] },
    { name: 'head width 128, a full ring', rows: 3, heads: 4, kvHeads: 2, headDim: 128, capacity: 40, begin: [100, 101, 102], end: [138, 139, 140] },
  ]
  const spare = Array.from({ length: SPARE_ROWS }, () => 0)
  return shapes.flatMap(({ name, rows, heads, kvHeads, headDim, capacity, begin, end }): Draft[] =>
    [false, true].map((inspect) => ({
      name: `attention: ${name}${inspect ? ', with probabilities' : ''}`,
      step: { op: 'attention', q: 'q', k: 'k', v: 'v', begin: 'begin', end: 'end', out: 'out', headDim, scale: headDim ** -0.5, ...(inspect && { probabilities: 'probabilities' }) },
      buffers: {
        q: ['input', 'f32', 'rows', heads * headDim], k: ['kv', 'f32', capacity, kvHeads * headDim], v: ['kv', 'f32', capacity, kvHeads * headDim],
        begin: ['input', 'i32', 'rows'], end: ['input', 'i32', 'rows'], out: ['output', 'f32', 'rows', heads * headDim],
        ...(inspect && { probabilities: ['output', 'f32', 'rows', heads, capacity] as const }),
      },
      args: { rows, position: Math.max(0, (end.at(-1) ?? 1) - rows) },
      contents: { q: { kind: 'normal', scale: 3 }, begin: ints(...begin, ...spare), end: ints(...end, ...spare) },
    })),
  )
}

/** What the vision tower asks for: constant shapes, dense keys and values, many rows; and blocks of rows as prompts have them. */
function manyRowsAttentionCases(): Draft[] {
  const each = (rows: number, value: (row: number) => number): number[] => Array.from({ length: rows }, (_, row) => value(row))
  const dense = [
    { rows: 301, keys: 301, heads: 1, headDim: 72 },
    { rows: 300, keys: 257, heads: 1, headDim: 64 },
    { rows: 40, keys: 333, heads: 2, headDim: 80 },
    { rows: 129, keys: 300, heads: 3, headDim: 12 },
    { rows: 19, keys: 140, heads: 2, headDim: 13 },
  ].map(({ rows, keys, heads, headDim }): Draft => ({
    name: `attention: all of ${keys} dense keys, ${rows} rows, ${heads} heads of ${headDim}`,
    step: { op: 'attention', q: 'q', k: 'k', v: 'v', begin: 'begin', end: 'end', out: 'out', headDim, scale: headDim ** -0.5 },
    buffers: {
      q: ['input', 'f32', rows, heads * headDim], k: ['input', 'f32', keys, heads * headDim], v: ['scratch', 'f32', keys, heads * headDim],
      begin: ['input', 'i32', rows], end: ['input', 'i32', rows], out: ['output', 'f32', rows, heads * headDim],
    },
    args: { rows: 1, position: 0 },
    contents: { q: { kind: 'normal', scale: 3 }, v: { kind: 'normal', scale: 1 }, begin: ints(...each(rows, () => 0)), end: ints(...each(rows, () => keys)) },
  }))
  const blocks = [
    { name: 'causal around the ring', rows: 130, position: 150, capacity: 200, heads: 2, kvHeads: 1, headDim: 256, begin: () => 90, end: (at: number) => at + 1 },
    { name: 'a window of 70 around the ring', rows: 130, position: 150, capacity: 200, heads: 4, kvHeads: 2, headDim: 40, begin: (at: number) => at - 69, end: (at: number) => at + 1 },
    { name: 'an image inside a chunk', rows: 45, position: 20, capacity: 80, heads: 6, kvHeads: 3, headDim: 20, begin: () => 0, end: (at: number) => (at >= 31 && at < 53 ? 53 : at + 1) },
    { name: 'a row that sees nothing, and one that sees one key', rows: 18, position: 120, capacity: 160, heads: 2, kvHeads: 1, headDim: 8, begin: (at: number) => (at === 123 ? at : at === 130 ? 128 : 3), end: (at: number) => (at === 123 ? at : at === 130 ? 129 : at + 1) },
  ].map(({ name, rows, position, capacity, heads, kvHeads, headDim, begin, end }): Draft => ({
    name: `attention: ${name}, ${rows} rows, head width ${headDim}`,
    step: { op: 'attention', q: 'q', k: 'k', v: 'v', begin: 'begin', end: 'end', out: 'out', headDim, scale: headDim ** -0.5 },
    buffers: {
      q: ['input', 'f32', 'rows', heads * headDim], k: ['kv', 'f32', capacity, kvHeads * headDim], v: ['kv', 'f32', capacity, kvHeads * headDim],
      begin: ['input', 'i32', 'rows'], end: ['input', 'i32', 'rows'], out: ['output', 'f32', 'rows', heads * headDim],
    },
    args: { rows, position },
    contents: { q: { kind: 'normal', scale: 3 }, begin: ints(...each(rows, (row) => begin(position + row))), end: ints(...each(rows, (row) => end(position + row))) },
  }))
  return [...dense, ...blocks]
}

/** The tower's other steps: no dimension is `rows`. */
function constantShapeCases(): Draft[] {
  const linear = ([
    ['f16', 588, 12, 70, 'table'], ['f32', 588, 11, 33, 'table'], ['f16', 1152, 9, 37, 'plain'], ['bf16', 1152, 20, 66, 'full'], ['f16', 4304, 7, 21, 'full'], ['bf16', 4304, 5, 5, 'full'], ['f32', 4304, 3, 9, 'full'],
  ] as const).map(([type, inWidth, outWidth, rows, extras]): Draft => ({
    name: `linear ${type} [${outWidth}, ${inWidth}] over ${rows} constant rows, ${extras}`,
    step: {
      op: 'linear', x: 'x', weight: 'weight', out: 'out',
      ...(extras !== 'plain' && { bias: 'bias' }), ...(extras === 'full' && { activation: 'gelu', add: 'out' }), ...(extras === 'table' && { add: 'table' }),
    },
    buffers: {
      x: ['input', 'f32', rows, inWidth], weight: ['weight', type, outWidth, inWidth], out: ['output', 'f32', rows, outWidth],
      ...(extras !== 'plain' && { bias: ['weight', 'f32', outWidth] as const }), ...(extras === 'table' && { table: ['weight', 'f32', rows, outWidth] as const }),
    },
    args: { rows: 1, position: 0 },
    contents: extras === 'full' ? { out: { kind: 'normal', scale: 2 } } : {},
  }))
  return [
    ...linear,
    {
      name: 'layerNorm of 70 constant rows',
      step: { op: 'layerNorm', x: 'x', weight: 'weight', bias: 'bias', out: 'out', eps: 1e-6 },
      buffers: { x: ['input', 'f32', 70, 1152], weight: ['weight', 'f32', 1152], bias: ['weight', 'f32', 1152], out: ['output', 'f32', 70, 1152] },
      args: { rows: 1, position: 0 },
    },
    {
      name: 'rmsNorm of 16 constant rows',
      step: { op: 'rmsNorm', x: 'x', weight: 'weight', out: 'out', eps: 1e-6 },
      buffers: { x: ['input', 'f32', 16, 1152], weight: ['weight', 'f32', 1152], out: ['output', 'f32', 16, 1152] },
      args: { rows: 1, position: 0 },
    },
    {
      name: 'avgPool 4 × 4 of 16 × 16',
      step: { op: 'avgPool', x: 'x', out: 'out', size: 4 },
      buffers: { x: ['input', 'f32', 256, 72], out: ['output', 'f32', 16, 72] },
      args: { rows: 1, position: 0 },
    },
  ]
}

function topKCases(): Draft[] {
  const draft = (name: string, vocabSize: number, count: number, rest: { readonly mask?: readonly number[]; readonly adjust?: readonly (readonly [id: number, bias: number, scale: number, shift: number])[]; readonly logits?: Content; readonly taken?: number }): Draft => {
    const adjust = rest.adjust ?? []
    const all = Array.from({ length: Math.ceil(vocabSize / 32) }, () => 0xffffffff)
    return {
      name: `topK: ${name}`,
      step: { op: 'topK', logits: 'logits', mask: 'mask', adjustIds: 'adjustIds', adjust: 'adjust', ids: 'ids', values: 'values', logSumExp: 'logSumExp' },
      buffers: {
        logits: ['input', 'f32', 'taken', vocabSize], mask: ['input', 'u32', Math.ceil(vocabSize / 32)], adjustIds: ['input', 'i32', 8], adjust: ['input', 'f32', 8, 3],
        ids: ['output', 'i32', 'taken', count], values: ['output', 'f32', 'taken', count], logSumExp: ['output', 'f32', 'taken'],
      },
      args: { rows: 1, position: 0, taken: rest.taken ?? 1, adjusted: adjust.length },
      contents: {
        logits: rest.logits ?? { kind: 'normal', scale: 4 },
        mask: { kind: 'values', values: rest.mask ?? all },
        adjustIds: { kind: 'values', values: adjust.map(([id]) => id) },
        adjust: { kind: 'values', values: adjust.flatMap(([, ...values]) => values) },
      },
    }
  }
  const ties = Array.from({ length: 100 * (1 + SPARE_ROWS) }, (_, i) => (i % 3 === 0 ? 2 : -1))
  return [
    draft('1000 of which 64', 1000, 64, {}),
    draft('three rows', 333, 16, { taken: 3 }),
    draft('the whole of a small vocabulary', 37, 37, {}),
    draft('ties go to the lower id', 100, 40, { logits: { kind: 'values', values: ties } }),
    draft('a mask that allows fewer than are asked for', 70, 20, { mask: [0b1011, 0, 1 << 5] }),
    draft('bias, repetition penalty of both signs, shift', 50, 10, { adjust: [[0, 100, 1, 0], [1, -100, 1, 0], [2, 0, 1.5, 0], [3, 0, 1.5, -2], [49, 1, 2, 3], [7, -1e30, 1, 0]] }),
    draft('20,000 with 256', 20_000, 256, {}),
  ]
}

/** Candidates as topK leaves them, row by row: of random logits, of flat ones, of one that has nearly all the mass. */
function sampleCases(): Draft[] {
  const taken = 40
  const draft = (name: string, vocabSize: number, count: number, settings: readonly [temperature: number, topK: number, topP: number, minP: number], allows?: (id: number) => boolean): Draft => {
    const random = createRandom(vocabSize + count)
    const mask = Uint32Array.from({ length: Math.ceil(vocabSize / 32) }, (_, word) => Array.from({ length: 32 }, (__, bit) => (allows?.(word * 32 + bit) ?? true)).reduce((bits, allowed, bit) => bits | (Number(allowed) << bit), 0))
    const rows = Array.from({ length: taken }, (_, row) => candidatesOf(randomNormals(random, vocabSize, [4, 1, 0.05, 12][row % 4]), mask, count))
    const padded = (values: Iterable<number>, fill: number): number[] => {
      const row = [...values]
      return [...row, ...Array.from({ length: count - row.length }, () => fill)]
    }
    return {
      name: `sample: ${name}`,
      step: { op: 'sample', ids: 'ids', values: 'values', logSumExp: 'logSumExp', settings: 'settings', u: 'u', vocabSize, out: 'out', next: 'next' },
      buffers: {
        ids: ['input', 'i32', 'taken', count], values: ['input', 'f32', 'taken', count], logSumExp: ['input', 'f32', 'taken'],
        settings: ['input', 'f32', 4], u: ['input', 'f32', 'taken'], out: ['output', 'i32', 'taken'], next: ['output', 'i32', 'rows'],
      },
      args: { rows: 1, position: 0, taken },
      contents: {
        ids: ints(...rows.flatMap(({ ids }) => padded(ids, -1))),
        values: { kind: 'values', values: rows.flatMap(({ logits }) => padded(logits, 0)) },
        logSumExp: { kind: 'values', values: rows.map(({ logSumExp }) => Math.max(logSumExp, -1e30)) },
        settings: { kind: 'values', values: settings },
        u: { kind: 'values', values: rows.map(() => random.unit()) },
      },
    }
  }
  return [
    draft('greedy', 500, 64, [0, 0, 1, 0]),
    draft('plain', 500, 256, [1, 0, 1, 0]),
    draft('cold', 500, 64, [0.4, 0, 1, 0]),
    draft('the 40 best at 0.95 of the mass', 700, 64, [1, 40, 0.95, 0]),
    draft('hot, with all three filters', 700, 64, [1.7, 50, 0.9, 0.02]),
    draft('at least a tenth of the best', 500, 64, [1, 0, 1, 0.1]),
    draft('a small vocabulary, whole', 37, 37, [1, 0, 0.9, 0]),
    draft('few allowed', 300, 64, [0.8, 0, 1, 0], (id) => id % 30 === 7),
    draft('none allowed', 300, 64, [0, 0, 1, 0], () => false),
  ]
}

/** Every step kind on odd shapes, every encoding of weights. */
export function stepCases(): readonly StepCase[] {
  return [
    ...embedCases(), ...rowMoveCases(), ...normCases(), ...linearCases(), ...gatedLinearCases(),
    ...normRopeStoreCases(), ...attentionCases(), ...topKCases(), ...sampleCases(), ...manyRowsAttentionCases(), ...constantShapeCases(),
  ].map(stepCase)
}
