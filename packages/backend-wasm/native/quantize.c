#include "matmul.h"

// Adding 1.5 · 2²³ to a small f32 rounds it to the nearest whole number (ties to even), which is then in the low bits.
#define ROUNDER 0x1.8p23f

INLINE float max_lane(v128_t v) {
  v = wasm_f32x4_max(v, wasm_i32x4_shuffle(v, v, 2, 3, 0, 1));
  return wasm_f32x4_extract_lane(wasm_f32x4_max(v, wasm_i32x4_shuffle(v, v, 1, 0, 3, 2)), 0);
}

// Keeps NaN.
INLINE float largest(const v128_t x[8]) {
  v128_t most = wasm_f32x4_abs(x[0]);
  for (int i = 1; i < 8; i++) most = wasm_f32x4_max(most, wasm_f32x4_abs(x[i]));
  return max_lane(most);
}

// i16x8 of 8 columns.
INLINE v128_t round8(v128_t low, v128_t high, v128_t inverse) {
  v128_t rounder = wasm_f32x4_const_splat(ROUNDER);
  v128_t a = wasm_f32x4_add(wasm_f32x4_mul(low, inverse), rounder);
  v128_t b = wasm_f32x4_add(wasm_f32x4_mul(high, inverse), rounder);
  return wasm_i16x8_narrow_i32x4(wasm_i32x4_sub(a, rounder), wasm_i32x4_sub(b, rounder));
}

INLINE int sum_lanes(v128_t i16) {
  v128_t v = wasm_i32x4_extadd_pairwise_i16x8(i16);
  v = wasm_i32x4_add(v, wasm_i32x4_shuffle(v, v, 2, 3, 0, 1));
  return wasm_i32x4_extract_lane(wasm_i32x4_add(v, wasm_i32x4_shuffle(v, v, 1, 0, 3, 2)), 0);
}

// −x where x is negative, else 0.
INLINE v128_t negative(v128_t i16) { return wasm_i16x8_sub(wasm_i16x8_max(i16, wasm_i16x8_const_splat(0)), i16); }

// Numbers so small that 127 / max could overflow become 0.
#define SMALLEST 0x1p-100f

INLINE float quantize_block(const float *x, int8_t *quants, int16_t *quants16, int32_t *sums) {
  v128_t v[8], q[4];
  for (int i = 0; i < 8; i++) v[i] = wasm_v128_load(x + 4 * i);
  float max = largest(v);
  int tiny = max < SMALLEST;
  v128_t inverse = wasm_f32x4_splat(tiny ? 0 : 127 / max);
  for (int i = 0; i < 4; i++) q[i] = round8(v[2 * i], v[2 * i + 1], inverse);
  if (quants16) for (int i = 0; i < 4; i++) wasm_v128_store(quants16 + 8 * i, q[i]);
  if (quants) for (int i = 0; i < 2; i++) wasm_v128_store(quants + 16 * i, wasm_i8x16_narrow_i16x8(q[2 * i], q[2 * i + 1]));
  v128_t first = wasm_i16x8_add(q[0], q[1]);
  sums[0] = sum_lanes(wasm_i16x8_add(first, wasm_i16x8_add(q[2], q[3])));
  sums[1] = sum_lanes(first);
  sums[2] = sum_lanes(wasm_i16x8_add(wasm_i16x8_add(negative(q[0]), negative(q[1])), wasm_i16x8_add(negative(q[2]), negative(q[3]))));
  sums[3] = 0;
  return tiny ? 0 : max / 127;
}

void quantize_rows(const float *x, int width, int begin, int end, int8_t *quants, int16_t *quants16, float *scales, int32_t *sums) {
  int first = begin * (width / BLOCK), last = end * (width / BLOCK);
  for (int b = first; b < last; b++) {
    int c = b * BLOCK;
    scales[b] = quantize_block(x + c, quants ? quants + c : nullptr, quants16 ? quants16 + c : nullptr, sums + SUMS * b);
  }
}
