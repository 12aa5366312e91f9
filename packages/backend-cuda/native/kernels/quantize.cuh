// Activations as int8 in groups of 32, for integer products. A group's scale is f32: halves could overflow.
#pragma once
#include "four.cuh"
#include "reduce.cuh"

// Lanes that have a group, a four each.
constexpr int GROUP_LANES = 8;

// A lane's codes of its four, a byte each; and of the group: a value is about code · scale, `sum` is the scale times the sum of all codes.
struct QuantizedFour {
  unsigned codes;
  float scale, sum;
};

// All lanes of a warp call it.
GPU_DEVICE QuantizedFour quantizeFour(float4 four) {
  const float own = most(most(magnitude(four.x), magnitude(four.y)), most(magnitude(four.z), magnitude(four.w)));
  const float greatest = teamReduce<Maximum>(own, GROUP_LANES), factor = greatest > 1e-30f ? 127.0f / greatest : 0.0f, scale = greatest * (1.0f / 127.0f);
  const int x = nearestInt(four.x * factor), y = nearestInt(four.y * factor), z = nearestInt(four.z * factor), w = nearestInt(four.w * factor);
  const int sum = teamReduce<Sum>(x + y + z + w, GROUP_LANES);
  const unsigned codes = (static_cast<unsigned>(x) & 255u) | (static_cast<unsigned>(y) & 255u) << 8 | (static_cast<unsigned>(z) & 255u) << 16 | static_cast<unsigned>(w) << 24;
  return {codes, scale, scale * static_cast<float>(sum)};
}

// Where a quantised row goes: codes [width], scale and sum of each group [width / 32]. Or nowhere.
struct CodeRow {
  signed char* codes;
  float2* groups;
};

// All lanes of a warp call it, with fours that are neighbours; `isThere`: the column is one of the row's.
GPU_DEVICE void storeQuantized(const CodeRow& to, int column, float4 four, bool isThere) {
  const QuantizedFour q = quantizeFour(four);
  if (!isThere) return;
  reinterpret_cast<unsigned*>(to.codes)[column / 4] = q.codes;
  if (column % (4 * GROUP_LANES) == 0) to.groups[column / (4 * GROUP_LANES)] = {q.scale, q.sum};
}
