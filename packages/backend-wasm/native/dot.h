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

// Which operand of the relaxed products has 7 bits (0 … 127)? Quants of up to 6 bits are it themselves. Signed 8-bit quants w leave it
// to |x|, and take over the sign of x: w · x = ±w · |x|. Negation by ~w = −w − 1 cannot overflow; what it leaves out is Σ |x| over x < 0.
INLINE int signed_quants(Format f, int dot) { return f.bits == 8 && dot != DOT_WIDEN; }

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

// What the products take besides data; made before a loop.
typedef struct {
  v128_t zeros;
  v128_t ones;  // i16
} DotConstants;

INLINE DotConstants dot_constants(void) { return (DotConstants){opaque(wasm_i8x16_const_splat(0)), opaque(wasm_i16x8_const_splat(1))}; }

#if RELAXED
// The operands of one group: w has rows 0 … 3, rows 4 … 7.
typedef struct {
  v128_t signed8[2];
  v128_t unsigned7[2];
} Operands;

typedef struct {
  v128_t values;     // i8 [16 columns]
  v128_t negatives;  // −1 where negative, else 0
  v128_t sizes;
} Columns;

INLINE Columns load_columns(const int8_t *x, DotConstants k) {
  v128_t values = wasm_v128_load(x);
  return (Columns){values, wasm_i8x16_gt(k.zeros, values), wasm_i8x16_abs(values)};
}

INLINE Operands group_operands(Format f, const Chunk *chunk, const Columns *x, int g) {
  v128_t low = chunk->w[2 * g], high = chunk->w[2 * g + 1];
  if (f.bits < 8) {
    v128_t columns = splat_group(x->values, g);
    return (Operands){{columns, columns}, {low, high}};
  }
  v128_t negatives = splat_group(x->negatives, g), sizes = splat_group(x->sizes, g);
  return (Operands){{wasm_v128_xor(low, negatives), wasm_v128_xor(high, negatives)}, {sizes, sizes}};
}

// How many groups' products of pairs may be added up in i16.
INLINE int pair_run(Format f) { return f.bits <= 5 ? 4 : f.bits == 6 ? 2 : 1; }

INLINE Rows dot_pairs(Format f, const Chunk *chunk, const int8_t *x, DotConstants k) {
  Columns columns = load_columns(x, k);
  Rows sum = {};
  for (int from = 0; from < 4; from += pair_run(f)) {
    Rows pairs = {};
    for (int g = from; g < from + pair_run(f); g++) {
      Operands o = group_operands(f, chunk, &columns, g);
      pairs.low = wasm_i16x8_add(pairs.low, wasm_i16x8_relaxed_dot_i8x16_i7x16(o.signed8[0], o.unsigned7[0]));
      pairs.high = wasm_i16x8_add(pairs.high, wasm_i16x8_relaxed_dot_i8x16_i7x16(o.signed8[1], o.unsigned7[1]));
      pairs = in_order(pairs);
    }
    sum.low = wasm_i32x4_add(sum.low, wasm_i32x4_dot_i16x8(pairs.low, k.ones));
    sum.high = wasm_i32x4_add(sum.high, wasm_i32x4_dot_i16x8(pairs.high, k.ones));
  }
  return sum;
}

INLINE Rows dot_quads(Format f, const Chunk *chunk, const int8_t *x, DotConstants k) {
  Columns columns = load_columns(x, k);
  Rows sum = {};
  for (int g = 0; g < 4; g++) {
    Operands o = group_operands(f, chunk, &columns, g);
    sum.low = wasm_i32x4_relaxed_dot_i8x16_i7x16_add(o.signed8[0], o.unsigned7[0], sum.low);
    sum.high = wasm_i32x4_relaxed_dot_i8x16_i7x16_add(o.signed8[1], o.unsigned7[1], sum.high);
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
INLINE Rows dot_chunk(Format f, int dot, const Chunk *chunk, const void *x, DotConstants k) {
#if RELAXED
  if (dot == DOT_PAIRS) return dot_pairs(f, chunk, x, k);
  if (dot == DOT_QUADS) return dot_quads(f, chunk, x, k);
#endif
  return (void)f, (void)dot, (void)k, dot_widen(chunk, x);
}
