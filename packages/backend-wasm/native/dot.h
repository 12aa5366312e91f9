// Integer products of quants and activations: the same sums whichever instruction computes them.
#pragma once
#include "matmul.h"
#include "tile.h"

// How the fast path of a layout multiplies. 8-bit quants do not fit the relaxed products' 7-bit operand.
INLINE int usable_dot(Format f, int dot) {
#if RELAXED
  if (f.bits < 8) return dot;
#endif
  return (void)f, (void)dot, DOT_WIDEN;
}

// A chunk: what 8 registers of weights hold while every row of activations passes.
INLINE int chunk_groups(int dot) { return dot == DOT_WIDEN ? 2 : 4; }

typedef struct {
  v128_t w[8];
} Chunk;

INLINE Chunk load_chunk(Format f, int dot, const uint8_t *quants, int index) {
  Chunk chunk;
  if (dot != DOT_WIDEN) {
    for (int i = 0; i < 8; i++) chunk.w[i] = load_quants(f, quants, index, i);
    return chunk;
  }
  for (int i = 0; i < 4 && f.bits == 8; i++) {
    const uint8_t *at = quants + 64 * index + 16 * i;
    chunk.w[2 * i] = wasm_i16x8_load8x8(at);
    chunk.w[2 * i + 1] = wasm_i16x8_load8x8(at + 8);
  }
  for (int i = 0; i < 4 && f.bits != 8; i++) {
    v128_t q = load_quants(f, quants, index / 2, index % 2 * 4 + i);
    chunk.w[2 * i] = wasm_i16x8_extend_low_i8x16(q);
    chunk.w[2 * i + 1] = wasm_i16x8_extend_high_i8x16(q);
  }
  return chunk;
}

#if RELAXED
// Pairs of columns, summed in i16 over `run` groups: 2 · 127 · quant · run fits.
INLINE Rows dot_pairs(Format f, const Chunk *chunk, const int8_t *x) {
  int run = f.bits <= 5 ? 4 : 2;
  Rows sum = {};
  for (int from = 0; from < 4; from += run) {
    Rows pairs = {};
    for (int g = from; g < from + run; g++) {
      v128_t columns = wasm_v128_load32_splat(x + 4 * g);
      pairs.low = wasm_i16x8_add(pairs.low, wasm_i16x8_relaxed_dot_i8x16_i7x16(columns, chunk->w[2 * g]));
      pairs.high = wasm_i16x8_add(pairs.high, wasm_i16x8_relaxed_dot_i8x16_i7x16(columns, chunk->w[2 * g + 1]));
    }
    sum.low = wasm_i32x4_add(sum.low, wasm_i32x4_extadd_pairwise_i16x8(pairs.low));
    sum.high = wasm_i32x4_add(sum.high, wasm_i32x4_extadd_pairwise_i16x8(pairs.high));
  }
  return sum;
}

INLINE Rows dot_quads(const Chunk *chunk, const int8_t *x) {
  Rows sum = {};
  for (int g = 0; g < 4; g++) {
    v128_t columns = wasm_v128_load32_splat(x + 4 * g);
    sum.low = wasm_i32x4_relaxed_dot_i8x16_i7x16_add(columns, chunk->w[2 * g], sum.low);
    sum.high = wasm_i32x4_relaxed_dot_i8x16_i7x16_add(columns, chunk->w[2 * g + 1], sum.high);
  }
  return sum;
}
#endif

// a: rows 0 and 1, b: rows 2 and 3, two halves of a sum each.
INLINE v128_t join_halves(v128_t a, v128_t b) {
  return wasm_i32x4_add(wasm_i32x4_shuffle(a, b, 0, 2, 4, 6), wasm_i32x4_shuffle(a, b, 1, 3, 5, 7));
}

INLINE Rows dot_widen(const Chunk *chunk, const int16_t *x) {
  v128_t sum[4];
  v128_t first = wasm_v128_load64_splat(x), second = wasm_v128_load64_splat(x + 4);
  for (int i = 0; i < 4; i++) sum[i] = wasm_i32x4_add(wasm_i32x4_dot_i16x8(chunk->w[i], first), wasm_i32x4_dot_i16x8(chunk->w[4 + i], second));
  return (Rows){join_halves(sum[0], sum[1]), join_halves(sum[2], sum[3])};
}

// i32 sums of one chunk and the same columns of x, i16 for DOT_WIDEN, otherwise i8.
INLINE Rows dot_chunk(Format f, int dot, const Chunk *chunk, const void *x) {
#if RELAXED
  if (dot == DOT_PAIRS) return dot_pairs(f, chunk, x);
  if (dot == DOT_QUADS) return dot_quads(chunk, x);
#endif
  return (void)f, (void)dot, dot_widen(chunk, x);
}
