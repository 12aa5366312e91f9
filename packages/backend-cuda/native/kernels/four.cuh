// Four neighbouring columns of a row of f32: one wide access where rows are whole fours.
#pragma once
#include "../device/gpu.cuh"

// ALIGNED: the width is a multiple of 4. Otherwise what lies past it is 0, and is not stored.
template <bool ALIGNED>
GPU_DEVICE float4 loadFour(const float* row, int column, int width) {
  if constexpr (ALIGNED) return *reinterpret_cast<const float4*>(row + column);
  float values[4];
#pragma unroll
  for (int i = 0; i < 4; i++) values[i] = column + i < width ? row[column + i] : 0.0f;
  return {values[0], values[1], values[2], values[3]};
}

template <bool ALIGNED>
GPU_DEVICE void storeFour(float* row, int column, int width, float4 four) {
  if constexpr (ALIGNED) {
    *reinterpret_cast<float4*>(row + column) = four;
  } else {
    const float values[4] = {four.x, four.y, four.z, four.w};
#pragma unroll
    for (int i = 0; i < 4; i++)
      if (column + i < width) row[column + i] = values[i];
  }
}

// a · b + sum
GPU_DEVICE float dotFour(float4 a, float4 b, float sum) { return fma(a.w, b.w, fma(a.z, b.z, fma(a.y, b.y, fma(a.x, b.x, sum)))); }
GPU_DEVICE float4 scaleFour(float4 a, float factor, float4 b) { return {a.x * factor * b.x, a.y * factor * b.y, a.z * factor * b.z, a.w * factor * b.w}; }
GPU_DEVICE float4 addFour(float4 a, float4 b) { return {a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w}; }
