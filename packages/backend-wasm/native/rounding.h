// f32 to whole numbers, and the largest of a few.
#pragma once
#include "wasm.h"

// Adding 1.5 · 2²³ to a small f32 rounds it to the nearest whole number (ties to even), which is then in the low bits.
#define ROUNDER 0x1.8p23f

INLINE float max_lane(v128_t v) {
  v = wasm_f32x4_max(v, wasm_i32x4_shuffle(v, v, 2, 3, 0, 1));
  return wasm_f32x4_extract_lane(wasm_f32x4_max(v, wasm_i32x4_shuffle(v, v, 1, 0, 3, 2)), 0);
}

// i32x4: x · inverse, rounded; |x · inverse| < 2²².
INLINE v128_t round4(v128_t x, v128_t inverse) {
  v128_t rounder = wasm_f32x4_const_splat(ROUNDER);
  return wasm_i32x4_sub(wasm_f32x4_add(wasm_f32x4_mul(x, inverse), rounder), rounder);
}
