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

// words: rows, x, weight, bias, out, width, eps
void step_layer_norm(const Worker *w, Words words) {
  const int width = words[5];
  const float *weight = at(words[2]), *bias = at(words[3]), eps = as_float(words[6]);
  int begin, end;
  share(count_of(w->control, words[0]), w->thread, w->threads, &begin, &end);
  for (int r = begin; r < end; r++) {
    const float *x = at(words[1]) + (size_t)r * width;
    float *out = at(words[4]) + (size_t)r * width;
    double sum = 0, squares = 0;
    for (int i = 0; i < width; i++) sum += x[i];
    const float mean = (float)(sum / width);
    for (int i = 0; i < width; i++) squares += (double)(x[i] - mean) * (x[i] - mean);
    const float scale = 1.0f / __builtin_sqrtf((float)(squares / width) + eps);
    for (int i = 0; i < width; i++) out[i] = (x[i] - mean) * scale * weight[i] + bias[i];
  }
}
