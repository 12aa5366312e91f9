// Columns of a tile as f32 [columns, TILE_ROWS], exactly as the encoding defines them.
#pragma once
#include "tile.h"

// One column of 4 rows: byte `column` of every i32 lane, less the zero, times d (and plus m).
INLINE v128_t column_values(Format f, v128_t quants, int column, v128_t first, v128_t second) {
  v128_t q = wasm_i32x4_shl(quants, 24 - 8 * column);
  q = f.bits == 8 ? wasm_i32x4_shr(q, 24) : wasm_u32x4_shr(q, 24);
  if (f.zero) q = wasm_i32x4_sub(q, wasm_i32x4_splat(f.zero));
  v128_t value = wasm_f32x4_mul(wasm_f32x4_convert_i32x4(q), first);
  return f.header == HEADER_OFFSET ? wasm_f32x4_add(value, second) : value;
}

// 16 columns: half a block.
INLINE void half_panel(Format f, const uint8_t *quants, int half, Rows first, Rows second, float *panel) {
  for (int group = 0; group < 4; group++) {
    v128_t low = load_quants(f, quants, half, 2 * group), high = load_quants(f, quants, half, 2 * group + 1);
    for (int column = 0; column < 4; column++, panel += TILE_ROWS) {
      wasm_v128_store(panel, column_values(f, low, column, first.low, second.low));
      wasm_v128_store(panel + 4, column_values(f, high, column, first.high, second.high));
    }
  }
}

// panel f32 [BLOCK, TILE_ROWS].
INLINE void block_panel(Format f, const uint8_t *block, float *panel) {
  Header header = load_header(f, block, half_constants());
  const uint8_t *quants = block + header_bytes(f);
  half_panel(f, quants, 0, header.first, header.second, panel);
  half_panel(f, quants, 1, f.header == HEADER_HALVES ? header.second : header.first, header.second, panel + 16 * TILE_ROWS);
}

// The rows of a row-major tile. Rows past the matrix's end repeat its last one.
typedef struct {
  const uint8_t *rows[TILE_ROWS];
} DenseTile;

INLINE DenseTile dense_tile_rows(const Matrix *w, int tile) {
  DenseTile source;
  for (int r = 0; r < TILE_ROWS; r++) source.rows[r] = w->data + matrix_bytes(w->layout, min_int(tile * TILE_ROWS + r, w->rows - 1), w->width);
  return source;
}

INLINE v128_t dense4(int layout, const uint8_t *row, int column) {
  if (layout == MATRIX_F32) return wasm_v128_load(row + 4 * column);
  return layout == MATRIX_F16 ? load_f16x4(row + 2 * column) : load_bf16x4(row + 2 * column);
}

INLINE float dense1(int layout, const uint8_t *row, int column) {
  if (layout == MATRIX_F32) return ((const float *)row)[column];
  uint16_t bits = load_u16(row + 2 * column);
  return layout == MATRIX_F16 ? f16_value(bits) : bf16_value(bits);
}

// panel f32 [4, TILE_ROWS]: 4 columns of 4 rows, transposed.
INLINE void transpose4(int layout, const uint8_t *const *rows, int column, float *panel) {
  v128_t a = dense4(layout, rows[0], column), b = dense4(layout, rows[1], column);
  v128_t c = dense4(layout, rows[2], column), d = dense4(layout, rows[3], column);
  v128_t ab_low = wasm_i32x4_shuffle(a, b, 0, 4, 1, 5), ab_high = wasm_i32x4_shuffle(a, b, 2, 6, 3, 7);
  v128_t cd_low = wasm_i32x4_shuffle(c, d, 0, 4, 1, 5), cd_high = wasm_i32x4_shuffle(c, d, 2, 6, 3, 7);
  wasm_v128_store(panel, wasm_i64x2_shuffle(ab_low, cd_low, 0, 2));
  wasm_v128_store(panel + TILE_ROWS, wasm_i64x2_shuffle(ab_low, cd_low, 1, 3));
  wasm_v128_store(panel + 2 * TILE_ROWS, wasm_i64x2_shuffle(ab_high, cd_high, 0, 2));
  wasm_v128_store(panel + 3 * TILE_ROWS, wasm_i64x2_shuffle(ab_high, cd_high, 1, 3));
}

// panel f32 [columns, TILE_ROWS]: columns column … column + columns − 1.
INLINE void dense_panel(int layout, const DenseTile *source, int column, int columns, float *panel) {
  int c = 0;
  for (; c + 4 <= columns; c += 4) {
    transpose4(layout, source->rows, column + c, panel + c * TILE_ROWS);
    transpose4(layout, source->rows + 4, column + c, panel + c * TILE_ROWS + 4);
  }
  for (; c < columns; c++) {
    for (int r = 0; r < TILE_ROWS; r++) panel[c * TILE_ROWS + r] = dense1(layout, source->rows[r], column + c);
  }
}
