// q and k: RMS norm per head, rotation; k and v into their ring.
#include "norm.h"
#include "steps.h"
#include "vector-math.h"

// One head: to = rotate(from / rms · norm), pair (j, j + half); rope: cos f32 [half], sin f32 [half]. `to` may be `from`.
static void rotate(const float *from, const float *norm, const float *rope, int head_dim, float eps, float *to) {
  const int half = head_dim / 2;
  const float scale = rms_scale(from, head_dim, eps);
  int j = 0;
  for (; j + 4 <= half; j += 4) {
    const v128_t a = wasm_f32x4_mul(wasm_f32x4_mul(load4(from + j), wasm_f32x4_splat(scale)), load4(norm + j));
    const v128_t b = wasm_f32x4_mul(wasm_f32x4_mul(load4(from + half + j), wasm_f32x4_splat(scale)), load4(norm + half + j));
    const v128_t cos = load4(rope + j), sin = load4(rope + half + j);
    store4(to + j, wasm_f32x4_sub(wasm_f32x4_mul(a, cos), wasm_f32x4_mul(b, sin)));
    store4(to + half + j, wasm_f32x4_add(wasm_f32x4_mul(b, cos), wasm_f32x4_mul(a, sin)));
  }
  for (; j < half; j++) {
    const float a = from[j] * scale * norm[j], b = from[half + j] * scale * norm[half + j];
    to[j] = a * rope[j] - b * rope[half + j];
    to[half + j] = b * rope[j] + a * rope[half + j];
  }
}

// words: rows, q, k, v, q norm, k norm, rope, k cache, v cache, head width, q heads, kv heads, capacity, eps
void step_norm_rope_store(const Worker *w, Words words) {
  const int rows = count_of(w->control, words[0]);
  const int head_dim = words[9], q_heads = words[10], kv_heads = words[11], capacity = words[12];
  const float eps = as_float(words[13]), *rope = at(words[6]);
  const int kv_width = kv_heads * head_dim, heads = q_heads + 2 * kv_heads;
  int begin, end;
  share(rows * heads, w->thread, w->threads, &begin, &end);
  for (int item = begin; item < end; item++) {
    const int r = item / heads, head = item % heads;
    const size_t slot = (size_t)((w->control->position + r) % capacity) * kv_width;
    const float *angles = rope + (size_t)r * head_dim;
    if (head < q_heads) {
      float *q = at(words[1]) + ((size_t)r * q_heads + head) * head_dim;
      rotate(q, at(words[4]), angles, head_dim, eps, q);
    } else if (head < q_heads + kv_heads) {
      const int kv = head - q_heads;
      rotate(at(words[2]) + (size_t)r * kv_width + kv * head_dim, at(words[5]), angles, head_dim, eps, at(words[7]) + slot + kv * head_dim);
    } else {
      const int kv = head - q_heads - kv_heads;
      __builtin_memcpy(at(words[8]) + slot + kv * head_dim, at(words[3]) + (size_t)r * kv_width + kv * head_dim, (size_t)head_dim * 4);
    }
  }
}
