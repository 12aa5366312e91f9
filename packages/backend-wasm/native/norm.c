// RMSNorm and LayerNorm, a row a thread.
#include "norm.h"
#include "steps.h"
#include "vector-math.h"

float rms_scale(const float *x, int width, float eps) {
  v128_t squares0 = wasm_f32x4_splat(0), squares1 = squares0;
  int i = 0;
  for (; i + 8 <= width; i += 8) {
    const v128_t a = load4(x + i), b = load4(x + i + 4);
    squares0 = wasm_f32x4_add(squares0, wasm_f32x4_mul(a, a));
    squares1 = wasm_f32x4_add(squares1, wasm_f32x4_mul(b, b));
  }
  float sum = sum4(wasm_f32x4_add(squares0, squares1));
  for (; i < width; i++) sum += x[i] * x[i];
  return 1.0f / __builtin_sqrtf(sum / (float)width + eps);
}

// words: rows, x, weight, out, width, eps, residual
void step_rms_norm(const Worker *w, Words words) {
  const int width = words[4];
  const float *weight = at(words[2]), eps = as_float(words[5]);
  int begin, end;
  share(count_of(w->control, words[0]), w->thread, w->threads, &begin, &end);
  for (int r = begin; r < end; r++) {
    const float *x = at(words[1]) + (size_t)r * width;
    const float *residual = words[6] == 0 ? 0 : at(words[6]) + (size_t)r * width;
    float *out = at(words[3]) + (size_t)r * width;
    const float scale = rms_scale(x, width, eps);
    int i = 0;
    for (; i + 4 <= width; i += 4) {
      v128_t y = wasm_f32x4_mul(wasm_f32x4_mul(load4(x + i), wasm_f32x4_splat(scale)), load4(weight + i));
      if (residual) y = wasm_f32x4_add(y, load4(residual + i));
      store4(out + i, y);
    }
    for (; i < width; i++) out[i] = x[i] * scale * weight[i] + (residual ? residual[i] : 0.0f);
  }
}

typedef struct {
  v128_t low, high;
} Doubles;

INLINE Doubles to_f64(v128_t v) { return (Doubles){wasm_f64x2_promote_low_f32x4(v), wasm_f64x2_promote_low_f32x4(wasm_i64x2_shuffle(v, v, 1, 1))}; }
INLINE double sum2(v128_t v) { return wasm_f64x2_extract_lane(v, 0) + wasm_f64x2_extract_lane(v, 1); }

static double sum_of(const float *x, int width) {
  v128_t sum = wasm_f64x2_splat(0);
  int i = 0;
  for (; i + 4 <= width; i += 4) {
    const Doubles v = to_f64(load4(x + i));
    sum = wasm_f64x2_add(sum, wasm_f64x2_add(v.low, v.high));
  }
  double total = sum2(sum);
  for (; i < width; i++) total += x[i];
  return total;
}

// Σ (x − mean)²
static double squares_of(const float *x, int width, float mean) {
  v128_t sum = wasm_f64x2_splat(0);
  int i = 0;
  for (; i + 4 <= width; i += 4) {
    const Doubles v = to_f64(wasm_f32x4_sub(load4(x + i), wasm_f32x4_splat(mean)));
    sum = wasm_f64x2_add(sum, wasm_f64x2_add(wasm_f64x2_mul(v.low, v.low), wasm_f64x2_mul(v.high, v.high)));
  }
  double total = sum2(sum);
  for (; i < width; i++) total += (double)(x[i] - mean) * (x[i] - mean);
  return total;
}

// words: rows, x, weight, bias, out, width, eps
void step_layer_norm(const Worker *w, Words words) {
  const int width = words[5];
  const float *weight = at(words[2]), *bias = at(words[3]), eps = as_float(words[6]);
  int begin, end;
  share(count_of(w->control, words[0]), w->thread, w->threads, &begin, &end);
  for (int r = begin; r < end; r++) {
    const float *x = at(words[1]) + (size_t)r * width;
    float *out = at(words[4]) + (size_t)r * width;
    const float mean = (float)(sum_of(x, width) / width);
    const float scale = 1.0f / __builtin_sqrtf((float)(squares_of(x, width, mean) / width) + eps);
    int i = 0;
    for (; i + 4 <= width; i += 4) {
      const v128_t y = wasm_f32x4_mul(wasm_f32x4_sub(load4(x + i), wasm_f32x4_splat(mean)), wasm_f32x4_splat(scale));
      store4(out + i, wasm_f32x4_add(wasm_f32x4_mul(y, load4(weight + i)), load4(bias + i)));
    }
    for (; i < width; i++) out[i] = (x[i] - mean) * scale * weight[i] + bias[i];
  }
}
