// A head, normalised and rotated.
#pragma once
#include "reduce.cuh"

// A warp's work: store(to, i, value) for each column i of the result; x may be where it goes. x and norm [headDim], rope [headDim]: cosines, then
// sines, of pairs (j, j + headDim / 2).
template <typename To>
GPU_DEVICE void normRope(const float* x, const float* norm, const float* rope, int headDim, float eps, const To& to) {
  const int lane = threadIdx.x % WARP, half = headDim / 2;
  float squares = 0.0f;
  for (int i = lane; i < headDim; i += WARP) squares = fma(x[i], x[i], squares);
  const float scale = 1.0f / sqrtExact(warpReduce<Sum>(squares) / static_cast<float>(headDim) + eps);
  for (int j = lane; j < half; j += WARP) {
    const float first = x[j] * scale * norm[j], second = x[j + half] * scale * norm[j + half], cosine = rope[j], sine = rope[j + half];
    storeValue(to, j, first * cosine - second * sine);
    storeValue(to, j + half, second * cosine + first * sine);
  }
}
