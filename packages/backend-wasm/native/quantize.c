#include "matmul.h"
#include "int16.h"

// Keeps NaN.
INLINE float largest(const v128_t x[8]) {
  v128_t most = wasm_f32x4_abs(x[0]);
  for (int i = 1; i < 8; i++) most = wasm_f32x4_max(most, wasm_f32x4_abs(x[i]));
  return max_lane(most);
}

// i16x8 of 8 columns.
INLINE v128_t round8(v128_t low, v128_t high, v128_t inverse) { return wasm_i16x8_narrow_i32x4(round4(low, inverse), round4(high, inverse)); }

INLINE int sum_lanes(v128_t i16) {
  v128_t v = wasm_i32x4_extadd_pairwise_i16x8(i16);
  v = wasm_i32x4_add(v, wasm_i32x4_shuffle(v, v, 2, 3, 0, 1));
  return wasm_i32x4_extract_lane(wasm_i32x4_add(v, wasm_i32x4_shuffle(v, v, 1, 0, 3, 2)), 0);
}

// Numbers so small that 32767 / max could overflow become 0.
#define SMALLEST 0x1p-100f

// 32 columns as whole numbers up to ±`most`, i16; gives their scale.
INLINE float round_block(const float *x, float most, v128_t q[4]) {
  v128_t v[8];
  for (int i = 0; i < 8; i++) v[i] = wasm_v128_load(x + 4 * i);
  float max = largest(v);
  int tiny = max < SMALLEST;
  v128_t inverse = wasm_f32x4_splat(tiny ? 0 : most / max);
  for (int i = 0; i < 4; i++) q[i] = round8(v[2 * i], v[2 * i + 1], inverse);
  return tiny ? 0 : max / most;
}

static float quantize8(const float *x, int8_t *quants, int32_t *sums) {
  v128_t q[4];
  float scale = round_block(x, 127, q);
  for (int i = 0; i < 2; i++) wasm_v128_store(quants + 16 * i, wasm_i8x16_narrow_i16x8(q[2 * i], q[2 * i + 1]));
  v128_t first = wasm_i16x8_add(q[0], q[1]);
  sums[0] = sum_lanes(wasm_i16x8_add(first, wasm_i16x8_add(q[2], q[3])));
  sums[1] = sum_lanes(first);
  return scale;
}

static float quantize16(const float *x, int16_t *quants, int32_t *sums) {
  v128_t q[4];
  float scale = round_block(x, 32767, q);
  for (int i = 0; i < 4; i++) wasm_v128_store(quants + 8 * i, q[i]);
  sums[1] = sum_lanes(q[0]) + sum_lanes(q[1]);
  sums[0] = sums[1] + sum_lanes(q[2]) + sum_lanes(q[3]);
  return scale;
}

void quantize_rows(const Activations *x, int begin, int end) {
  const Quants8 q8 = x->q8;
  const Quants16 q16 = x->q16;
  int first = begin * (x->width / BLOCK), last = end * (x->width / BLOCK);
  for (int b = first; b < last; b++) {
    size_t c = (size_t)b * BLOCK;
    if (q8.quants) q8.scales[b] = quantize8(x->values + c, q8.quants + c, q8.sums + SUMS * b);
    if (q16.quants) q16.scales[b] = quantize16(x->values + c, q16.quants + c, q16.sums + SUMS * b);
  }
  if (!x->packs) return;
  for (int r = begin; r < end; r++) {
    uint8_t *pack = x->packs + (size_t)(r / PACK_ROWS) * pack_bytes(PACK_ROWS, pairs_of(x->width));
    pack_row(MATRIX_F32, (const uint8_t *)(x->values + (size_t)r * x->width), x->width, pack, PACK_ROWS, r % PACK_ROWS);
  }
}
