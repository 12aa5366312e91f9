/** The control block at the start of the heap: words in the order of native/control.h. */
export const control = {
  sequence: 0,
  arrived: 1,
  generation: 2,
  sleepers: 3,
  threads: 4,
  abort: 5,
  aborted: 6,
  kind: 7,
  tape: 8,
  begin: 9,
  end: 10,
  rows: 11,
  taken: 12,
  position: 13,
  adjusted: 14,
  dot: 15,
  matrixType: 16,
  matrixLayout: 17,
  matrixRows: 18,
  matrixWidth: 19,
  matrixData: 20,
  row: 21,
  source: 22,
  sourceRowBytes: 23,
} as const

export type ControlWord = keyof typeof control

export const CONTROL_BYTES = 128

/** What the control block has to say about a job; words that are not named keep their value. */
export type Job = Partial<Record<ControlWord, number>>

export function writeJob(words: Int32Array, job: Job): void {
  for (const [word, value] of Object.entries(job)) if (isControlWord(word)) words[control[word]] = value
}

function isControlWord(name: string): name is ControlWord {
  return name in control
}

export const jobKind = { run: 1, repack: 2 } as const

/** How 8-bit products are computed: native/matmul.h's DotKind. */
export const dotKind = { widen: 0, pairs: 1, quads: 2 } as const
