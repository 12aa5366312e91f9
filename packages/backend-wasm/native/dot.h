// Integer products of quants and activations: the same sums whichever instruction computes them.
#pragma once
#include "matmul.h"
#include "tile.h"

INLINE int usable_dot(int dot) {
#if RELAXED
  return dot;
#else
  return (void)dot, DOT_WIDEN;
#endif
}

// Quants of up to 6 bits are the 7-bit operand (0 … 127) of the relaxed products, activations the signed one. Q8_0 comes as DOT_WIDEN only.

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
  for (int i = 0; i < 4; i++) {
    v128_t q = load_quants(f, quants, index / 2, index % 2 * 4 + i);
    chunk.w[2 * i] = wasm_i16x8_extend_low_i8x16(q);
    chunk.w[2 * i + 1] = wasm_i16x8_extend_high_i8x16(q);
  }
  return chunk;
}

// Group `g` of 16 columns of x i8, in every lane. (A wide load and shuffles are cheaper in V8 than four splatting loads.)
INLINE v128_t splat_group(v128_t columns, int g) {
  switch (g) {
    case 0: return wasm_i32x4_shuffle(columns, columns, 0, 0, 0, 0);
    case 1: return wasm_i32x4_shuffle(columns, columns, 1, 1, 1, 1);
    case 2: return wasm_i32x4_shuffle(columns, columns, 2, 2, 2, 2);
    default: return wasm_i32x4_shuffle(columns, columns, 3, 3, 3, 3);
  }
}

INLINE v128_t i16_ones(void) { return opaque(wasm_i16x8_const_splat(1)); }  // made before a loop

#if RELAXED
// How many groups' products of pairs may be added up in i16.
INLINE int pair_run(Format f) { return f.bits <= 5 ? 4 : 2; }

INLINE Rows dot_pairs(Format f, const Chunk *chunk, const int8_t *x, v128_t ones) {
  v128_t columns = wasm_v128_load(x);
  Rows sum = {};
  for (int from = 0; from < 4; from += pair_run(f)) {
    Rows pairs = {};
    for (int g = from; g < from + pair_run(f); g++) {
      v128_t group = splat_group(columns, g);
      pairs.low = wasm_i16x8_add(pairs.low, wasm_i16x8_relaxed_dot_i8x16_i7x16(group, chunk->w[2 * g]));
      pairs.high = wasm_i16x8_add(pairs.high, wasm_i16x8_relaxed_dot_i8x16_i7x16(group, chunk->w[2 * g + 1]));
      pairs = in_order(pairs);
    }
    sum.low = wasm_i32x4_add(sum.low, wasm_i32x4_dot_i16x8(pairs.low, ones));
    sum.high = wasm_i32x4_add(sum.high, wasm_i32x4_dot_i16x8(pairs.high, ones));
  }
  return sum;
}

INLINE Rows dot_quads(const Chunk *chunk, const int8_t *x) {
  v128_t columns = wasm_v128_load(x);
  Rows sum = {};
  for (int g = 0; g < 4; g++) {
    v128_t group = splat_group(columns, g);
    sum.low = wasm_i32x4_relaxed_dot_i8x16_i7x16_add(group, chunk->w[2 * g], sum.low);
    sum.high = wasm_i32x4_relaxed_dot_i8x16_i7x16_add(group, chunk->w[2 * g + 1], sum.high);
    sum = in_order(sum);
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
INLINE Rows dot_chunk(Format f, int dot, const Chunk *chunk, const void *x, v128_t ones) {
#if RELAXED
  if (dot == DOT_PAIRS) return dot_pairs(f, chunk, x, ones);
  if (dot == DOT_QUADS) return dot_quads(chunk, x);
#endif
  return (void)f, (void)dot, (void)ones, dot_widen(chunk, x);
}
