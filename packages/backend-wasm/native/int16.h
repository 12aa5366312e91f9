// Products of rows of 16-bit integers, with one f32 scale a row: near-exact, at the speed of integers.
//
// A row's scale makes its length ‖q‖ at most ROW_LENGTH. Then |Σ a·b| ≤ ‖a‖·‖b‖ < 2³¹ (Cauchy-Schwarz): the sum of a whole product fits i32,
// whatever the sums on the way wrap around to. Rounding costs width / 12 / ROW_LENGTH² of a row's energy: 4.5e-8 for 1152 columns.
//
// A pack is what a register block reads: of R = 4 rows (activations, queries) or R = 8 (weights, keys)
//
//   f32 [R] scales, then i16 [pairs][R][2]: columns 2p and 2p + 1 of every row. Columns are padded with zeros to a multiple of 4.
#pragma once
#include "panel.h"
#include "rounding.h"

#define ROW_LENGTH 46000.0
#define PACK_ROWS 4

INLINE int pairs_of(int width) { return (width + 3) / 4 * 2; }
INLINE uint32_t pack_bytes(int lanes, int pairs) { return (uint32_t)lanes * 4 * (uint32_t)(pairs + 1); }
// i16 [pairs][lanes][2]
INLINE const int16_t *pack_values(const uint8_t *pack, int lanes) { return (const int16_t *)(pack + 4 * lanes); }

// Columns [column, column + 4) of a row-major row, zeros past its end.
INLINE v128_t padded4(int layout, const uint8_t *row, int column, int width) {
  if (column + 4 <= width) return dense4(layout, row, column);
  alignas(16) float rest[4] = {};
  for (int i = 0; column + i < width; i++) rest[i] = dense1(layout, row, column + i);
  return wasm_v128_load(rest);
}

// The scale of a row. NaN and infinity among its values make it NaN or infinite.
INLINE float row_scale(int layout, const uint8_t *row, int width) {
  v128_t most = wasm_f32x4_const_splat(0), low = wasm_f64x2_const_splat(0), high = low;  // f64: no square overflows or vanishes
  for (int c = 0; c < width; c += 4) {
    v128_t v = padded4(layout, row, c, width);
    v128_t a = wasm_f64x2_promote_low_f32x4(v), b = wasm_f64x2_promote_low_f32x4(wasm_i64x2_shuffle(v, v, 1, 1));
    most = wasm_f32x4_max(most, wasm_f32x4_abs(v));
    low = wasm_f64x2_add(low, wasm_f64x2_mul(a, a));
    high = wasm_f64x2_add(high, wasm_f64x2_mul(b, b));
  }
  v128_t squares = wasm_f64x2_add(low, high);
  double length = __builtin_sqrt(wasm_f64x2_extract_lane(squares, 0) + wasm_f64x2_extract_lane(squares, 1));
  double by_length = length / ROW_LENGTH, by_most = max_lane(most) / 32767.0;
  float scale = (float)(by_length > by_most ? by_length : by_most);
  return scale < 0x1p-110f ? 0 : scale;
}

// Row `lane` of a pack, from a row-major row.
INLINE void pack_row(int layout, const uint8_t *row, int width, uint8_t *pack, int lanes, int lane) {
  float scale = row_scale(layout, row, width);
  v128_t inverse = wasm_f32x4_splat(scale == 0 ? 0 : 1 / scale);
  ((float *)pack)[lane] = scale;
  uint8_t *to = pack + 4 * (lanes + lane);
  for (int c = 0; c < width; c += 4, to += 8 * lanes) {
    v128_t q = round4(padded4(layout, row, c, width), inverse);
    q = wasm_i16x8_narrow_i32x4(q, q);
    wasm_v128_store32_lane(to, q, 0);
    wasm_v128_store32_lane(to + 4 * lanes, q, 1);
  }
}

// sums i32 [rows][8] = 4 rows or 1 of x i16 [pairs][PACK_ROWS][2] · w i16 [pairs][8][2]. Both point at the first pair and row.
void dot16_four(const int16_t *x, const int16_t *w, int pairs, Rows *sums);
void dot16_one(const int16_t *x, const int16_t *w, int pairs, Rows *sums);
