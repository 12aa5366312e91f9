// Products of a row of activations with two rows of weights at once, for a team of lanes that share the groups of columns.
#pragma once
#include "four.cuh"
#include "reduce.cuh"
#include "weights.cuh"

// A row of f32 activations. A group that the width cuts short goes on with zeros.
struct FloatRow {
  const float* values;
  int width;
};
// A row as codes: quantize.cuh.
struct CodedRow {
  const signed char* codes;
  const float2* groups;
};
// The same in shared memory, of whole groups.
struct SharedFloatRow {
  Shared<float> values;
};
struct SharedCodedRow {
  Shared<unsigned> codes;      // 4 a word
  Shared<float> scales, sums;  // of groups
};

GPU_DEVICE float4 fourOfRow(const FloatRow& x, int column) {
  if (x.width % 4 != 0) return loadFour<false>(x.values, column, x.width);
  return column < x.width ? loadFour<true>(x.values, column, x.width) : float4{0.0f, 0.0f, 0.0f, 0.0f};
}
GPU_DEVICE float4 fourOfRow(const SharedFloatRow& x, int column) { return loadShared<float4>(x.values, column); }

struct CodedGroup {
  uint4 low, high;
  float scale, sum;
};
GPU_DEVICE CodedGroup groupOfRow(const CodedRow& x, int group) {
  const uint4* at = reinterpret_cast<const uint4*>(x.codes + group * GROUP);
  const float2 of = x.groups[group];
  return {at[0], at[1], of.x, of.y};
}
GPU_DEVICE CodedGroup groupOfRow(const SharedCodedRow& x, int group) {
  return {loadShared<uint4>(x.codes, group * (GROUP / 4)), loadShared<uint4>(x.codes, group * (GROUP / 4) + 4), x.scales[group], x.sums[group]};
}

GPU_DEVICE int dotCodes(unsigned a, unsigned b, int sum) { return dp4a(static_cast<int>(a), static_cast<int>(b), sum); }

// Σ weight · activation over a group of codes.
template <int TYPE>
GPU_DEVICE float dotGroup(const Row<TYPE>& row, int group, const CodedGroup& x) {
  const Codes codes = loadCodes<TYPE>(row, group);
  const Scales scales = scalesOf<TYPE>(row, group);
  const int low = dotCodes(codes.words[3], x.low.w, dotCodes(codes.words[2], x.low.z, dotCodes(codes.words[1], x.low.y, dotCodes(codes.words[0], x.low.x, 0))));
  const int first = TYPE == Q6_K ? 0 : low;
  const int high = dotCodes(codes.words[7], x.high.w, dotCodes(codes.words[6], x.high.z, dotCodes(codes.words[5], x.high.y, dotCodes(codes.words[4], x.high.x, first))));
  if constexpr (TYPE == Q6_K) return x.scale * fma(scales.low, static_cast<float>(low), scales.high * static_cast<float>(high));
  const float product = x.scale * (scales.low * static_cast<float>(high));
  if constexpr (hasMin(TYPE)) return fma(scales.min, x.sum, product);
  if constexpr (biasOf(TYPE) != 0) return fma(-static_cast<float>(biasOf(TYPE)) * scales.low, x.sum, product);
  return product;
}

// The two sums, in every lane of the team: lane `lane` of `team` takes groups lane, lane + team, …
template <int TYPE, typename X>
GPU_DEVICE float2 dotRows(const Row<TYPE>& a, const Row<TYPE>& b, const X& x, int groups, int lane, int team) {
  float2 sums = {0.0f, 0.0f};
  if constexpr (requires { groupOfRow(x, 0); }) {
    // Two groups at a time, so that more loads are under way. Clang does not unroll loops that hold assembly.
    for (int first = lane; first < groups; first += 2 * team) {
#pragma unroll
      for (int i = 0; i < 2; i++) {
        const bool isThere = first + i * team < groups;
        const int group = isThere ? first + i * team : first;
        CodedGroup of = groupOfRow(x, group);
        if (!isThere) of.scale = of.sum = 0.0f;
        sums.x += dotGroup<TYPE>(a, group, of);
        sums.y += dotGroup<TYPE>(b, group, of);
      }
    }
  } else {
    // Fours of columns: neighbouring lanes read neighbouring values.
    for (int four = lane; four < groups * 8; four += team) {
      const float4 of = fourOfRow(x, 4 * four);
      sums.x = dotFour(fourOf<TYPE>(a, four / 8, four % 8), of, sums.x);
      sums.y = dotFour(fourOf<TYPE>(b, four / 8, four % 8), of, sums.y);
    }
  }
  return {teamReduce<Sum>(sums.x, team), teamReduce<Sum>(sums.y, team)};
}
