// Weights as they lie on the device: src/weight-layout.ts writes these planes. A row is whole groups of 32 values, for all encodings.
#pragma once
#include "rows.cuh"

enum WeightType { F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q5_K, Q6_K };
constexpr int GROUP = 32;

// Rows of a matrix by parts: quants or plain values, bits beyond four, scales of groups, scales of super-blocks of 8 groups.
struct Planes {
  const unsigned char *quants, *high, *scales, *supers;
};

constexpr bool isPlain(int type) { return type == F32 || type == F16 || type == BF16; }
constexpr bool isFifthBit(int type) { return type == Q5_0 || type == Q5_1 || type == Q5_K; }
constexpr bool hasMin(int type) { return type == Q4_1 || type == Q5_1 || type == Q4_K || type == Q5_K; }
constexpr bool isSuper(int type) { return type == Q4_K || type == Q5_K || type == Q6_K; }
// What a code is too large by.
constexpr int biasOf(int type) { return type == Q4_0 ? 8 : type == Q5_0 ? 16 : 0; }

// Bytes per group, and per super-block.
constexpr int quantBytes(int type) { return type == F32 ? 128 : type == F16 || type == BF16 ? 64 : type == Q8_0 ? 32 : 16; }
constexpr int highBytes(int type) { return isFifthBit(type) ? 4 : type == Q6_K ? 8 : 0; }
constexpr int scaleBytes(int type) { return isPlain(type) ? 0 : type == Q4_1 || type == Q5_1 ? 4 : 2; }
constexpr int superBytes(int type) { return type == Q4_K || type == Q5_K ? 4 : type == Q6_K ? 2 : 0; }

template <int TYPE>
struct Row {
  const unsigned char *quants, *high, *scales, *supers;
};

template <int TYPE>
GPU_DEVICE Row<TYPE> rowOf(const Planes& planes, int row, int groups) {
  const long long at = static_cast<long long>(row) * groups;
  return {planes.quants + at * quantBytes(TYPE), planes.high + at * highBytes(TYPE), planes.scales + at * scaleBytes(TYPE), planes.supers + at / 8 * superBytes(TYPE)};
}

// A value is (code − bias) · scale + min, where `low` is the scale of the group's first 16 values and `high` of the others.
struct Scales {
  float low, high, min;
};

template <int TYPE>
GPU_DEVICE Scales scalesOf(const Row<TYPE>& row, int group) {
  const unsigned char* at = row.scales + group * scaleBytes(TYPE);
  if constexpr (TYPE == Q4_0 || TYPE == Q5_0 || TYPE == Q8_0) {
    const float d = halfToFloat(loadGlobal(reinterpret_cast<const unsigned short*>(at)));
    return {d, d, 0.0f};
  } else if constexpr (TYPE == Q4_1 || TYPE == Q5_1) {
    const unsigned pair = loadGlobal(reinterpret_cast<const unsigned*>(at));
    const float d = halfToFloat(static_cast<unsigned short>(pair));
    return {d, d, halfToFloat(static_cast<unsigned short>(pair >> 16))};
  } else if constexpr (TYPE == Q6_K) {
    const unsigned short pair = loadGlobal(reinterpret_cast<const unsigned short*>(at));
    const float d = halfToFloat(loadGlobal(reinterpret_cast<const unsigned short*>(row.supers + group / 8 * superBytes(TYPE))));
    return {d * static_cast<float>(static_cast<signed char>(pair)), d * static_cast<float>(static_cast<signed char>(pair >> 8)), 0.0f};
  } else {
    const unsigned short pair = loadGlobal(reinterpret_cast<const unsigned short*>(at));
    const unsigned supers = loadGlobal(reinterpret_cast<const unsigned*>(row.supers + group / 8 * superBytes(TYPE)));
    const float d = halfToFloat(static_cast<unsigned short>(supers)) * static_cast<float>(pair & 255);
    return {d, d, -(halfToFloat(static_cast<unsigned short>(supers >> 16)) * static_cast<float>(pair >> 8))};
  }
}

// Codes 4i … 4i + 3 of a group, a byte each: from the word of quants that holds them, and the word of high bits.
template <int TYPE>
GPU_DEVICE unsigned codesOf(unsigned quants, unsigned high, int i) {
  if constexpr (TYPE == Q8_0) return quants;
  unsigned codes = (i < 4 ? quants : quants >> 4) & 0x0f0f0f0fu;
  if constexpr (isFifthBit(TYPE)) codes |= ((high >> i) & 0x01010101u) << 4;
  if constexpr (TYPE == Q6_K) {
    codes |= ((high >> (2 * (i & 3))) & 0x03030303u) << 4;
    codes = (codes + 0x60606060u) ^ 0x80808080u;  // − 32 in each byte: none overflows
  }
  return codes;
}

// The float 2^23 + n has n in its lowest bits: cheaper than a conversion. Signed bytes are 128 too large then.
template <int TYPE>
GPU_DEVICE float codeValue(unsigned codes, int byte) {
  constexpr bool isSigned = TYPE == Q8_0 || TYPE == Q6_K;
  const unsigned bits = (((isSigned ? codes ^ 0x80808080u : codes) >> (8 * byte)) & 255u) | 0x4b000000u;
  return intAsFloat(static_cast<int>(bits)) - (8388608.0f + (isSigned ? 128.0f : static_cast<float>(biasOf(TYPE))));
}

// Products of a code and scales are exact in f32, so that a sum with the minimum is rounded once, as core's dequantisation does.
template <int TYPE>
GPU_DEVICE float4 valuesOf(unsigned codes, float scale, float min) {
  if constexpr (hasMin(TYPE)) return {fma(codeValue<TYPE>(codes, 0), scale, min), fma(codeValue<TYPE>(codes, 1), scale, min), fma(codeValue<TYPE>(codes, 2), scale, min), fma(codeValue<TYPE>(codes, 3), scale, min)};
  return {codeValue<TYPE>(codes, 0) * scale, codeValue<TYPE>(codes, 1) * scale, codeValue<TYPE>(codes, 2) * scale, codeValue<TYPE>(codes, 3) * scale};
}

// Values 4i … 4i + 3 of a group.
template <int TYPE>
GPU_DEVICE float4 fourOf(const Row<TYPE>& row, int group, int i) {
  const unsigned char* at = row.quants + group * quantBytes(TYPE);
  if constexpr (TYPE == F32) {
    return loadGlobal(reinterpret_cast<const float4*>(at) + i);
  } else if constexpr (TYPE == F16) {
    const uint2 pairs = loadGlobal(reinterpret_cast<const uint2*>(at) + i);
    return {halfToFloat(static_cast<unsigned short>(pairs.x)), halfToFloat(static_cast<unsigned short>(pairs.x >> 16)), halfToFloat(static_cast<unsigned short>(pairs.y)), halfToFloat(static_cast<unsigned short>(pairs.y >> 16))};
  } else if constexpr (TYPE == BF16) {
    const uint2 pairs = loadGlobal(reinterpret_cast<const uint2*>(at) + i);
    return {intAsFloat(static_cast<int>(pairs.x << 16)), intAsFloat(static_cast<int>(pairs.x & 0xffff0000u)), intAsFloat(static_cast<int>(pairs.y << 16)), intAsFloat(static_cast<int>(pairs.y & 0xffff0000u))};
  } else {
    const unsigned quants = loadGlobal(reinterpret_cast<const unsigned*>(at) + (TYPE == Q8_0 ? i : i & 3));
    unsigned high = 0;
    if constexpr (highBytes(TYPE) > 0) high = loadGlobal(reinterpret_cast<const unsigned*>(row.high + group * highBytes(TYPE)) + (TYPE == Q6_K ? i >> 2 : 0));
    const Scales scales = scalesOf<TYPE>(row, group);
    return valuesOf<TYPE>(codesOf<TYPE>(quants, high, i), i < 4 ? scales.low : scales.high, scales.min);
  }
}

// A whole group of a block encoding, in few wide loads. `words`: codes of values 4i … 4i + 3.
struct Codes {
  unsigned words[8];
};

template <int TYPE>
GPU_DEVICE Codes loadCodes(const Row<TYPE>& row, int group) {
  static_assert(!isPlain(TYPE));
  const uint4* at = reinterpret_cast<const uint4*>(row.quants + group * quantBytes(TYPE));
  const uint4 first = loadGlobal(at);
  const uint4 second = TYPE == Q8_0 ? loadGlobal(at + 1) : first;
  uint2 high = {0, 0};
  if constexpr (isFifthBit(TYPE)) {
    const unsigned bits = loadGlobal(reinterpret_cast<const unsigned*>(row.high + group * highBytes(TYPE)));
    high = {bits, bits};
  } else if constexpr (TYPE == Q6_K) {
    high = loadGlobal(reinterpret_cast<const uint2*>(row.high + group * highBytes(TYPE)));
  }
  return {{codesOf<TYPE>(first.x, high.x, 0), codesOf<TYPE>(first.y, high.x, 1), codesOf<TYPE>(first.z, high.x, 2), codesOf<TYPE>(first.w, high.x, 3),
           codesOf<TYPE>(second.x, high.y, 4), codesOf<TYPE>(second.y, high.y, 5), codesOf<TYPE>(second.z, high.y, 6), codesOf<TYPE>(second.w, high.y, 7)}};
}

// `case`s of a switch over the encoding, on which all threads of a block agree: the body uses TYPE as a constant.
#define FOR_ENCODING(NAME, ...)  \
  case NAME: {                   \
    constexpr int TYPE = NAME;   \
    __VA_ARGS__;                 \
    break;                       \
  }
#define FOR_BLOCK_ENCODINGS(...)                                                                                                         \
  FOR_ENCODING(Q4_0, __VA_ARGS__) FOR_ENCODING(Q4_1, __VA_ARGS__) FOR_ENCODING(Q5_0, __VA_ARGS__) FOR_ENCODING(Q5_1, __VA_ARGS__) \
  FOR_ENCODING(Q8_0, __VA_ARGS__) FOR_ENCODING(Q4_K, __VA_ARGS__) FOR_ENCODING(Q5_K, __VA_ARGS__) FOR_ENCODING(Q6_K, __VA_ARGS__)
#define FOR_PLAIN_ENCODINGS(...) FOR_ENCODING(F32, __VA_ARGS__) FOR_ENCODING(F16, __VA_ARGS__) FOR_ENCODING(BF16, __VA_ARGS__)
