// Keys and values as the device keeps them: f32, or the bits of halves. [capacity, kvHeads · headDim]
#pragma once
#include "../device/gpu.cuh"

GPU_DEVICE float cacheValue(float stored) { return stored; }
GPU_DEVICE float cacheValue(unsigned short stored) { return halfToFloat(stored); }
GPU_DEVICE void storeValue(float* to, int i, float value) { to[i] = value; }
GPU_DEVICE void storeValue(unsigned short* to, int i, float value) { to[i] = floatToHalf(value); }

// Eight neighbouring values.
struct Eight {
  float values[8];
};
GPU_DEVICE Eight loadEight(const float* at) {
  const float4 low = *reinterpret_cast<const float4*>(at), high = *reinterpret_cast<const float4*>(at + 4);
  return {{low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w}};
}
GPU_DEVICE Eight loadEight(const unsigned short* at) {
  const uint4 pairs = *reinterpret_cast<const uint4*>(at);
  const unsigned words[4] = {pairs.x, pairs.y, pairs.z, pairs.w};
  Eight eight;
#pragma unroll
  for (int i = 0; i < 8; i++) eight.values[i] = halfToFloat(static_cast<unsigned short>(words[i / 2] >> (16 * (i % 2))));
  return eight;
}
// The first `count` of them, then zeros. Wide loads where rows are whole eights.
template <typename Cache>
GPU_DEVICE Eight eightOf(const Cache* at, int count, int width) {
  if (width % 8 == 0) return count > 0 ? loadEight(at) : Eight{};
  Eight eight;
#pragma unroll
  for (int i = 0; i < 8; i++) eight.values[i] = i < count ? cacheValue(at[i]) : 0.0f;
  return eight;
}

// Below every score, and finite.
constexpr float LOWEST = -3.0e38f;

// With halves, arithmetic need not be better than they are.
GPU_DEVICE float expFor(const float*, float x) { return exponential(x); }
GPU_DEVICE float expFor(const unsigned short*, float x) { return exp2Approx(x * 1.44269504f); }
