// exp, GELU and sums over f32 vectors.
#pragma once
#include "wasm.h"

INLINE v128_t load4(const float *p) { return wasm_v128_load(p); }
INLINE void store4(float *p, v128_t v) { wasm_v128_store(p, v); }

// a · b + c; one rounding where the engine has a fused form, two where not.
INLINE v128_t madd4(v128_t a, v128_t b, v128_t c) {
#if RELAXED
  return wasm_f32x4_relaxed_madd(a, b, c);
#else
  return wasm_f32x4_add(wasm_f32x4_mul(a, b), c);
#endif
}

INLINE float sum4(v128_t v) {
  v = wasm_f32x4_add(v, wasm_i32x4_shuffle(v, v, 2, 3, 0, 1));
  v = wasm_f32x4_add(v, wasm_i32x4_shuffle(v, v, 1, 0, 3, 2));
  return wasm_f32x4_extract_lane(v, 0);
}

INLINE float max4(v128_t v) {
  v = wasm_f32x4_pmax(v, wasm_i32x4_shuffle(v, v, 2, 3, 0, 1));
  v = wasm_f32x4_pmax(v, wasm_i32x4_shuffle(v, v, 1, 0, 3, 2));
  return wasm_f32x4_extract_lane(v, 0);
}

// e^x within 2 ulp, NaN stays NaN; 0 below −87.3, +∞ above 88.7. x = n·ln 2 + r, |r| ≤ ln 2 / 2; a polynomial of degree 6 in r (Taylor's
// coefficients leave 1e-7 relative at the ends; these are minimax), times 2^n by the exponent's bits.
INLINE v128_t exp4(v128_t x) {
  const v128_t low = wasm_f32x4_splat(-87.33654f), high = wasm_f32x4_splat(88.72283f);
  const v128_t underflow = wasm_f32x4_lt(x, low), overflow = wasm_f32x4_gt(x, high);
  const v128_t n = wasm_f32x4_nearest(wasm_f32x4_mul(wasm_f32x4_pmax(wasm_f32x4_pmin(x, high), low), wasm_f32x4_splat(1.44269504f)));
  // ln 2 in two parts: n · 0.693359375 is exact
  v128_t r = wasm_f32x4_sub(x, wasm_f32x4_mul(n, wasm_f32x4_splat(0.693359375f)));
  r = wasm_f32x4_sub(r, wasm_f32x4_mul(n, wasm_f32x4_splat(-2.12194440e-4f)));
  v128_t p = wasm_f32x4_splat(1.9875691500e-4f);
  p = madd4(p, r, wasm_f32x4_splat(1.3981999507e-3f));
  p = madd4(p, r, wasm_f32x4_splat(8.3334519073e-3f));
  p = madd4(p, r, wasm_f32x4_splat(4.1665795894e-2f));
  p = madd4(p, r, wasm_f32x4_splat(1.6666665459e-1f));
  p = madd4(p, r, wasm_f32x4_splat(5.0000001201e-1f));
  p = wasm_f32x4_add(madd4(wasm_f32x4_mul(p, r), r, r), wasm_f32x4_splat(1.0f));
  // 2^n in two factors: n reaches 128
  const v128_t k = wasm_i32x4_trunc_sat_f32x4(n), half = wasm_i32x4_shr(k, 1);
  const v128_t one = wasm_i32x4_splat(127);
  p = wasm_f32x4_mul(p, wasm_i32x4_shl(wasm_i32x4_add(half, one), 23));
  p = wasm_f32x4_mul(p, wasm_i32x4_shl(wasm_i32x4_add(wasm_i32x4_sub(k, half), one), 23));
  p = wasm_v128_andnot(p, underflow);
  return wasm_v128_bitselect(wasm_f32x4_splat(__builtin_inff()), p, overflow);
}

// GELU in its tanh form: 0.5·x·(1 + tanh(u)) = x / (1 + e^(−2u)), u = √(2/π)·(x + 0.044715·x³).
INLINE v128_t gelu4(v128_t x) {
  const v128_t cubic = wasm_f32x4_mul(wasm_f32x4_mul(wasm_f32x4_mul(x, x), x), wasm_f32x4_splat(0.044715f));
  const v128_t u = wasm_f32x4_mul(wasm_f32x4_add(x, cubic), wasm_f32x4_splat(-1.5957691216f));  // −2·√(2/π)
  const v128_t e = exp4(wasm_f32x4_pmin(u, wasm_f32x4_splat(80.0f)));  // x / ∞ would be 0, but −∞ · 0 is not
  return wasm_f32x4_div(x, wasm_f32x4_add(wasm_f32x4_splat(1.0f), e));
}

INLINE float exp1(float x) { return wasm_f32x4_extract_lane(exp4(wasm_f32x4_splat(x)), 0); }
INLINE float gelu1(float x) { return wasm_f32x4_extract_lane(gelu4(wasm_f32x4_splat(x)), 0); }

// Natural logarithm of a positive, normal number: for log Σ exp, so in f64 and not vectorised.
double log1(double x);
