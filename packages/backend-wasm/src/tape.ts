import { type BufferDecl, type BufferName, buffersOf, GemmaError, type Plan, shapeOf, type Step, writtenBy } from '@facetjs/core/backend'
import { type TapeOp, tapeOp } from './tape-ops.ts'

/** Where a buffer lies, in bytes from the start of memory. */
export interface Placed {
  readonly decl: BufferDecl
  readonly offset: number
  /** Of a weight matrix: native/matrix.h's MatrixLayout. */
  readonly layout?: number
}

/** A plan as the kernels walk it. */
export interface Tape {
  /** i32 words of (operation, size, operands …); byte offsets are in units of 16. */
  readonly words: Int32Array
  /** Where each section begins, and the end: [sections + 1]. */
  readonly sectionStarts: readonly number[]
}

export interface TapeOptions {
  readonly threads: number
  readonly fast: boolean
  readonly place: (name: BufferName) => Placed
  /** Which form of activations a fast product with a matrix of this layout takes: `operand`. */
  readonly operandOf: (layout: number) => number
  /** Scratch for attention of many rows. */
  readonly attentionBytes: (headDim: number, kvHeads: number, capacity: number) => number
  /** Private scratch of this tape, by name: steps that name the same one use it in turn. */
  readonly scratch: (name: string, byteLength: number) => number
}

/** Source: native/matmul.h's Operand. */
export const operand = { values: 0, q8: 1, q16: 2, packs: 3 } as const
/** Values of a block of activations, and the sums kept of each. Source: native/matrix.h, native/matmul.h. */
const BLOCK = 32
const BLOCK_SUMS = 2
/** Rows of a pack of activations. Source: native/int16.h. */
const PACK_ROWS = 4
/** Rows from which attention goes in tiles. Source: native/attention-tiles.h. */
const TILED_ROWS = 16
/** Rows of a partial result of attention: maximum, sum, four heads. Source: native/attention.c. */
const PARTIAL_HEADER = 8
const LANES = 4

/**
 * Serialises a plan. Barriers go only where a step needs what another thread may not have finished: q, k and v of one layer, say,
 * run without one between them. Activations are quantised once for all products that read them.
 */
export function writeTape(plan: Plan, options: Omit<TapeOptions, 'scratch'>, allocate: (byteLength: number) => number): Tape {
  // Once to learn how much scratch is wanted, once for real.
  const sizes = new Map<string, number>()
  serialise(plan, { ...options, scratch: (name, byteLength) => (sizes.set(name, Math.max(byteLength, sizes.get(name) ?? 0)), 0) })
  const offsets = new Map(Array.from(sizes, ([name, byteLength]) => [name, allocate(byteLength)]))
  return serialise(plan, { ...options, scratch: (name) => offsets.get(name) ?? 0 })
}

function serialise(plan: Plan, options: TapeOptions): Tape {
  const words: number[] = []
  const sectionStarts: number[] = []
  const emit = (op: TapeOp, ...operands: readonly number[]): void => void words.push(tapeOp[op], operands.length + 2, ...operands)
  const hazards = createHazards(() => emit('barrier'))
  for (const section of plan.sections) {
    sectionStarts.push(words.length)
    emit('section')
    hazards.clear() // threads meet at a section's start
    const steps = plan.steps.slice(section.begin, section.end)
    let quantised: BufferName | undefined
    for (const [i, step] of steps.entries()) {
      const written = writtenBy(step)
      const read = buffersOf(step).filter((name) => !written.includes(name) || readsItsOutput(step, name))
      const product = productOf(step, options)
      if (product !== undefined && product.operands.some((form) => form > 0) && quantised !== product.x) {
        const forms = new Set(readersOf(product.x, steps.slice(i)).flatMap((reader) => [...formsOf(reader, options)]))
        hazards.before([product.x], [QUANTISED], rowsWord(options.place(product.x)))
        emit('quantize', rowsWord(options.place(product.x)), ...activationWords(plan, product.x, forms, options))
        quantised = product.x
      }
      const usesQuantised = product !== undefined && product.operands.some((form) => form > 0)
      const touched = step.op === 'attention' ? [...written, PARTIALS] : written
      hazards.before(usesQuantised ? [...read, QUANTISED] : read, touched, isRowLocal(step) ? rowsWord(options.place(step.out)) : undefined)
      const operands = stepWords(step, plan, options)
      if (step.op !== 'sample') emit(step.op, ...operands)
      if (quantised !== undefined && written.includes(quantised)) quantised = undefined
    }
  }
  sectionStarts.push(words.length)
  return { words: Int32Array.from(words), sectionStarts }
}

// Scratch that steps share, among the buffers whose use is watched.
const QUANTISED = '\0quantised'
const PARTIALS = '\0partials'

interface Hazards {
  /**
   * Puts a barrier if a buffer is still in use. `split`: the step shares its rows out to threads by this row count, each thread touching
   * only its own rows of all buffers; steps split alike need no barrier between them.
   */
  before(reads: readonly string[], writes: readonly string[], split?: number): void
  clear(): void
}

/** Reads and writes since the last barrier. */
function createHazards(barrier: () => void): Hazards {
  type Uses = Map<string, number | undefined>
  const pending: { readonly reads: Uses; readonly writes: Uses } = { reads: new Map(), writes: new Map() }
  const clear = (): void => {
    pending.reads.clear()
    pending.writes.clear()
  }
  return {
    before(reads, writes, split) {
      const clashes = (uses: Uses, name: string): boolean => uses.has(name) && (split === undefined || uses.get(name) !== split)
      if (reads.some((name) => clashes(pending.writes, name)) || writes.some((name) => clashes(pending.writes, name) || clashes(pending.reads, name))) {
        barrier()
        clear()
      }
      // A buffer that is used in two ways counts as the stricter one.
      const note = (uses: Uses, name: string): void => void uses.set(name, uses.has(name) && uses.get(name) !== split ? undefined : split)
      for (const name of reads) note(pending.reads, name)
      for (const name of writes) note(pending.writes, name)
    },
    clear,
  }
}

/** Each thread reads and writes only its own rows. */
function isRowLocal(step: Step): step is Extract<Step, { op: 'rmsNorm' | 'layerNorm' | 'embed' }> {
  return step.op === 'rmsNorm' || step.op === 'layerNorm' || step.op === 'embed'
}

function readsItsOutput(step: Step, name: BufferName): boolean {
  return step.op === 'normRopeStore' || step.op === 'placeRows' || ('residual' in step && step.residual === name) || ('add' in step && step.add === name) || ('x' in step && step.x === name)
}

/** The steps that read `x` before something overwrites it. */
function readersOf(x: BufferName, steps: readonly Step[]): Step[] {
  const end = steps.findIndex((step) => writtenBy(step).includes(x))
  return (end < 0 ? steps : steps.slice(0, end + 1)).filter((step) => 'x' in step && step.x === x)
}

/** What a step multiplies, and which forms of activations its weights want. */
function productOf(step: Step, options: TapeOptions): { readonly x: BufferName; readonly operands: readonly number[] } | undefined {
  if (step.op === 'linear') return { x: step.x, operands: [operandKind(step.weight, options)] }
  if (step.op === 'gatedLinear') return { x: step.x, operands: [operandKind(step.gate, options), operandKind(step.up, options)] }
  return undefined
}

const formsOf = (step: Step, options: TapeOptions): ReadonlySet<number> => new Set(productOf(step, options)?.operands)

function operandKind(weight: BufferName, { fast, place, operandOf }: TapeOptions): number {
  const { layout = 0 } = place(weight)
  return fast ? operandOf(layout) : operand.values
}

const floatBits = (value: number): number => new Int32Array(Float32Array.of(value).buffer)[0]

/** A row count as the kernels read it: −1 rows of the run, −2 taken rows, else a constant. */
function rowsWord({ decl }: Placed): number {
  const [first] = decl.shape
  return first === 'rows' ? -1 : first === 'taken' ? -2 : first
}

function widthOf({ decl }: Placed): number {
  const [, width] = decl.shape
  return typeof width === 'number' ? width : 1
}

const lengthOf = ({ decl }: Placed): number => (typeof decl.shape[0] === 'number' ? decl.shape[0] : 0)

/** Layout, rows, width and place of a weight matrix. */
function matrixWords(placed: Placed): number[] {
  return [placed.layout ?? 0, lengthOf(placed), widthOf(placed), placed.offset / 16]
}

function maxRows(plan: Plan, { decl }: Placed): number {
  return shapeOf(decl, plan.limits)[0]
}

/**
 * Width and place of activations, and where their other forms are (8-bit and 16-bit: quants, scales, sums each; packs; native/matmul.h): one
 * place for all of a tape, as one is in use at a time. Forms that nobody reads are left out.
 */
function activationWords(plan: Plan, x: BufferName, forms: ReadonlySet<number>, { place, scratch }: TapeOptions): number[] {
  const placed = place(x)
  const width = widthOf(placed)
  const rows = maxRows(plan, placed)
  const blocks = rows * Math.ceil(width / BLOCK)
  const form = (bits: 8 | 16): number[] => [
    scratch(`quants${bits}`, (rows * width * bits) / 8) / 16, scratch(`scales${bits}`, blocks * 4) / 16, scratch(`sums${bits}`, blocks * BLOCK_SUMS * 4) / 16,
  ]
  const packs = (): number => scratch('packs', Math.ceil(rows / PACK_ROWS) * packBytes(PACK_ROWS, width)) / 16
  return [
    width, placed.offset / 16, ...(forms.has(operand.q8) ? form(8) : [0, 0, 0]), ...(forms.has(operand.q16) ? form(16) : [0, 0, 0]),
    forms.has(operand.packs) ? packs() : 0,
  ]
}

/** Bytes of a pack of rows of 16-bit integers. Source: native/int16.h. */
function packBytes(rows: number, width: number): number {
  return rows * 4 * (2 * Math.ceil(width / 4) + 1)
}

function stepWords(step: Step, plan: Plan, options: TapeOptions): number[] {
  const { place, scratch, threads } = options
  const at = (name: BufferName | undefined): number => (name === undefined ? 0 : place(name).offset / 16)
  switch (step.op) {
    case 'embed':
      return [rowsWord(place(step.out)), at(step.ids), ...matrixWords(place(step.table)), at(step.out), floatBits(step.scale)]
    case 'placeRows':
      return [rowsWord(place(step.out)), at(step.source), at(step.index), at(step.out), widthOf(place(step.out))]
    case 'takeRows':
      return [rowsWord(place(step.out)), at(step.x), at(step.index), at(step.out), widthOf(place(step.out))]
    case 'avgPool': {
      const side = Math.sqrt(maxRows(plan, place(step.x)))
      return [at(step.x), at(step.out), widthOf(place(step.out)), side, step.size]
    }
    case 'rmsNorm':
      return [rowsWord(place(step.out)), at(step.x), at(step.weight), at(step.out), widthOf(place(step.out)), floatBits(step.eps), at(step.residual)]
    case 'layerNorm':
      return [rowsWord(place(step.out)), at(step.x), at(step.weight), at(step.bias), at(step.out), widthOf(place(step.out)), floatBits(step.eps)]
    case 'linear':
      return [
        rowsWord(place(step.out)), ...matrixWords(place(step.weight)), ...activationWords(plan, step.x, formsOf(step, options), options),
        operandKind(step.weight, options) > 0 ? 1 : 0, at(step.out), at(step.bias), step.activation === 'gelu' ? 1 : 0, at(step.add),
      ]
    case 'gatedLinear':
      return [
        rowsWord(place(step.out)), ...matrixWords(place(step.gate)), ...matrixWords(place(step.up)), ...activationWords(plan, step.x, formsOf(step, options), options),
        operandKind(step.gate, options) > 0 ? 1 : 0, operandKind(step.up, options) > 0 ? 1 : 0, at(step.out),
      ]
    case 'normRopeStore': {
      const headDim = lengthOf(place(step.qNorm))
      const [q, k, cache] = [place(step.q), place(step.k), place(step.kCache)]
      return [
        rowsWord(q), at(step.q), at(step.k), at(step.v), at(step.qNorm), at(step.kNorm), at(step.rope), at(step.kCache), at(step.vCache),
        headDim, widthOf(q) / headDim, widthOf(k) / headDim, lengthOf(cache), floatBits(step.eps),
      ]
    }
    case 'attention': {
      const [q, k] = [place(step.q), place(step.k)]
      const parts = Math.min(64, threads) // native/attention.c holds 64
      const isTiled = step.probabilities === undefined && maxRows(plan, q) >= TILED_ROWS
      const tiles = isTiled ? scratch('tiles', options.attentionBytes(step.headDim, widthOf(k) / step.headDim, lengthOf(k))) : 0
      const partials = scratch('partials', 2 * threads * parts * (PARTIAL_HEADER + LANES * step.headDim) * 4)
      return [
        rowsWord(q), at(step.q), at(step.k), at(step.v), at(step.begin), at(step.end), at(step.out),
        step.headDim, widthOf(q) / step.headDim, widthOf(k) / step.headDim, lengthOf(k), floatBits(step.scale), at(step.probabilities), partials / 16, parts,
        options.fast ? 1 : 0, tiles / 16,
      ]
    }
    case 'topK': {
      const adjustments = lengthOf(place(step.adjust))
      const count = widthOf(place(step.ids))
      const bytes = Math.ceil(adjustments / 4) * 16 + threads * (16 + 8 * count)
      return [
        rowsWord(place(step.ids)), at(step.logits), at(step.mask), at(step.adjustIds), at(step.adjust), adjustments,
        at(step.ids), at(step.values), at(step.logSumExp), widthOf(place(step.logits)), count, scratch('topK', bytes) / 16,
      ]
    }
    case 'sample':
      throw new GemmaError('internal', `Plan ${plan.name} has a sample step, and this backend does not run ahead of its host. Leave the step out.`)
  }
}
