/** Operations of the tape, in the order of native/steps.h. */
export const tapeOp = {
  barrier: 0,
  section: 1,
  quantize: 2,
  embed: 3,
  placeRows: 4,
  rmsNorm: 5,
  layerNorm: 6,
  linear: 7,
  gatedLinear: 8,
  normRopeStore: 9,
  attention: 10,
  avgPool: 11,
  takeRows: 12,
  topK: 13,
} as const

export type TapeOp = keyof typeof tapeOp
