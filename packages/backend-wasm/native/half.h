// f16 → f32 without tables, exact for every f16: subnormals, infinities and NaN payloads included.
#pragma once
#include "wasm.h"

// A constant that stays in a register: V8 builds a known one anew wherever it is used.
INLINE v128_t opaque(v128_t constant) {
  __asm__("" : "+r"(constant));
  return constant;
}

// bits i32x4, each an f16 in its low half, zero above → f32x4.
INLINE v128_t f16_to_f32(v128_t bits) {
  v128_t magnitude = wasm_v128_and(bits, wasm_i32x4_const_splat(0x7fff));
  v128_t sign = wasm_i32x4_shl(wasm_v128_xor(bits, magnitude), 16);
  // The fraction lands in place, the exponent 112 too low: a product puts it right, and normalises subnormals.
  v128_t value = wasm_f32x4_mul(wasm_i32x4_shl(magnitude, 13), wasm_f32x4_const_splat(0x1p112f));
  v128_t special = wasm_i32x4_gt(magnitude, wasm_i32x4_const_splat(0x7bff));
  v128_t exponent = wasm_v128_and(special, wasm_i32x4_const_splat(0x7f800000));
  return wasm_v128_or(wasm_v128_or(value, exponent), sign);
}

INLINE v128_t load_f16x4(const void *at) { return f16_to_f32(wasm_u32x4_load16x4(at)); }

typedef struct {
  v128_t mask;
  v128_t up;
  v128_t down;
} HalfConstants;

INLINE HalfConstants half_constants(void) {
  v128_t mask = wasm_i32x4_const_splat(0x8fffe000), up = wasm_f32x4_const_splat(0x1p112f), down = wasm_f32x4_const_splat(0x1p-112f);
  return (HalfConstants){opaque(mask), opaque(up), opaque(down)};
}

// For scales in inner loops: exact but for NaN, which becomes an infinity.
INLINE v128_t load_scale_f16x4(const void *at, HalfConstants k) {
  v128_t bits = wasm_v128_and(wasm_i32x4_shl(wasm_i32x4_load16x4(at), 13), k.mask);
  // An exponent of 31 overflows in the second product and stays infinite.
  return wasm_f32x4_mul(wasm_f32x4_mul(wasm_f32x4_mul(bits, k.up), k.up), k.down);
}

INLINE v128_t load_bf16x4(const void *at) { return wasm_i32x4_shl(wasm_u32x4_load16x4(at), 16); }

INLINE float f16_value(uint16_t bits) { return wasm_f32x4_extract_lane(f16_to_f32(wasm_i32x4_make(bits, 0, 0, 0)), 0); }

INLINE float bf16_value(uint16_t bits) { return wasm_f32x4_extract_lane(wasm_i32x4_make(bits << 16, 0, 0, 0), 0); }

INLINE uint16_t load_u16(const uint8_t *at) { return (uint16_t)(at[0] | at[1] << 8); }

INLINE float load_f16(const uint8_t *at) { return f16_value(load_u16(at)); }
