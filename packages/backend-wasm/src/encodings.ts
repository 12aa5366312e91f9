import type { WeightType } from '@facetjs/core/backend'

/** Encodings of weights, in the order of native/matrix.h's WeightType. */
export const encodings: readonly WeightType[] = ['f32', 'f16', 'bf16', 'q4_0', 'q4_1', 'q5_0', 'q5_1', 'q8_0', 'q4_k', 'q5_k', 'q6_k']
