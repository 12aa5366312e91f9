// How the blocks of the quantised layouts of matrix.h are read.
#pragma once
#include "half.h"
#include "matrix.h"

enum HeaderKind {
  HEADER_SCALE,   // 8 × f16 d
  HEADER_OFFSET,  // 8 × f32 d, 8 × f32 m
  HEADER_HALVES,  // 8 × f32 d of columns 0 … 15, 8 × f32 d of columns 16 … 31
};

typedef struct {
  int bits;  // of a quant; 8: signed, otherwise unsigned
  int zero;  // the quant that means 0
  enum HeaderKind header;
} Format;

// By MatrixLayout, for the quantised ones.
static constexpr Format formats[] = {
  [MATRIX_Q8] = {8, 0, HEADER_SCALE},  [MATRIX_U5] = {5, 16, HEADER_SCALE},  [MATRIX_U4] = {4, 8, HEADER_SCALE},
  [MATRIX_U4M] = {4, 0, HEADER_OFFSET}, [MATRIX_U5M] = {5, 0, HEADER_OFFSET}, [MATRIX_U6] = {6, 32, HEADER_HALVES},
};

INLINE int is_quantised(int layout) { return layout >= MATRIX_Q8; }
INLINE int header_bytes(Format f) { return f.header == HEADER_SCALE ? 16 : 64; }
INLINE int quant_bytes(Format f) { return f.bits == 4 ? BLOCK * TILE_ROWS / 2 : BLOCK * TILE_ROWS; }
INLINE int block_bytes(Format f) { return header_bytes(f) + quant_bytes(f); }

// One number for each row of a tile.
typedef struct {
  v128_t low;   // rows 0 … 3
  v128_t high;  // rows 4 … 7
} Rows;

// HEADER_OFFSET: first d, second m. HEADER_HALVES: d of either half. HEADER_SCALE: first d.
typedef struct {
  Rows first;
  Rows second;
} Header;

// Has `rows` computed here: clang would finish the low rows before it begins the high ones, and V8 spill what both use.
INLINE Rows in_order(Rows rows) {
  __asm__("" : "+r"(rows.low), "+r"(rows.high));
  return rows;
}

INLINE Rows load_rows(const void *at) { return (Rows){wasm_v128_load(at), wasm_v128_load((const char *)at + 16)}; }

INLINE Header load_header(Format f, const uint8_t *block, HalfConstants k) {
  if (f.header == HEADER_SCALE) return (Header){.first = {load_scale_f16x4(block, k), load_scale_f16x4(block + 8, k)}};
  return (Header){load_rows(block), load_rows(block + 32)};
}

// Vector `index` of the quants of the 4 groups of one half of a block: index = 2 · group + (rows 4 … 7 ? 1 : 0).
INLINE v128_t load_quants(Format f, const uint8_t *quants, int half, int index) {
  if (f.bits != 4) return wasm_v128_load(quants + 128 * half + 16 * index);
  v128_t both = wasm_v128_load(quants + 16 * index);
  return wasm_v128_and(half ? wasm_u16x8_shr(both, 4) : both, wasm_i8x16_const_splat(15));
}
