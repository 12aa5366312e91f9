// MATRIX_I16: whole products in i32, a register block of 4 rows of activations and 8 of weights at a time.
#include "int16.h"
#include "matmul.h"

// Pairs of columns of a tile that stay in the first-level cache while all rows of a block pass: 16 KiB, and 8 KiB of activations.
#define PIECE 512

INLINE void dot(int rows, const int16_t *x, const int16_t *w, int pairs, Rows *sums) {
  Rows sum[PACK_ROWS] = {};
  for (int p = 0; p < pairs; p++, x += 2 * PACK_ROWS, w += 2 * TILE_ROWS) {
    __asm__("" : "+r"(x), "+r"(w));  // keeps offsets constant: else clang counts one address up for every load
    Rows columns = load_rows(w);
    for (int r = 0; r < rows; r++) {
      v128_t pair = wasm_v128_load32_splat(x + 2 * r);
      sum[r].low = wasm_i32x4_add(sum[r].low, wasm_i32x4_dot_i16x8(columns.low, pair));
      sum[r].high = wasm_i32x4_add(sum[r].high, wasm_i32x4_dot_i16x8(columns.high, pair));
      sum[r] = in_order(sum[r]);
    }
  }
  for (int r = 0; r < rows; r++) sums[r] = sum[r];
}

NOINLINE void dot16_four(const int16_t *x, const int16_t *w, int pairs, Rows *sums) { dot(PACK_ROWS, x, w, pairs, sums); }
NOINLINE void dot16_one(const int16_t *x, const int16_t *w, int pairs, Rows *sums) { dot(1, x, w, pairs, sums); }

INLINE Rows add_sums(Rows a, Rows b) { return (Rows){wasm_i32x4_add(a.low, b.low), wasm_i32x4_add(a.high, b.high)}; }

INLINE v128_t scaled(v128_t sum, v128_t w, v128_t x) { return wasm_f32x4_mul(wasm_f32x4_mul(wasm_f32x4_convert_i32x4(sum), w), x); }

NOINLINE void matmul_tile_int16(const Matrix *w, int tile, const Activations *x, int row, int rows, float *acc) {
  const int pairs = pairs_of(w->width);
  const uint8_t *pack = w->data + (size_t)tile * pack_bytes(TILE_ROWS, pairs);
  const uint32_t x_bytes = pack_bytes(PACK_ROWS, pairs);
  Rows *sums = (Rows *)acc;  // i32 until they are scaled
  for (int p = 0; p < pairs; p += PIECE) {
    const int count = min_int(PIECE, pairs - p);
    const int16_t *columns = pack_values(pack, TILE_ROWS) + p * 2 * TILE_ROWS;
    for (int r = row, together; r < row + rows; r += together) {
      const int lane = r % PACK_ROWS;
      const int16_t *values = pack_values(x->packs + (size_t)(r / PACK_ROWS) * x_bytes, PACK_ROWS) + (p * PACK_ROWS + lane) * 2;
      together = lane == 0 && r + PACK_ROWS <= row + rows ? PACK_ROWS : 1;
      Rows part[PACK_ROWS];
      if (together == 1) dot16_one(values, columns, count, part);
      else dot16_four(values, columns, count, part);
      for (int i = 0; i < together; i++) sums[r - row + i] = p == 0 ? part[i] : add_sums(sums[r - row + i], part[i]);
    }
  }
  const Rows scales = load_rows(pack);
  for (int r = row; r < row + rows; r++, sums++) {
    const float *x_scales = (const float *)(x->packs + (size_t)(r / PACK_ROWS) * x_bytes);
    const v128_t scale = wasm_f32x4_splat(x_scales[r % PACK_ROWS]);
    *sums = (Rows){scaled(sums->low, scales.low, scale), scaled(sums->high, scales.high, scale)};
  }
}
