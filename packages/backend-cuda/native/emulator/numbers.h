// Conversions, dot products and approximations that the device has as instructions.
#pragma once

#include <bit>
#include <cstdint>

namespace emulator {

/** Overflow wraps, as it does on the device. */
inline int wrappingAdd(int a, int b) { return static_cast<int>(static_cast<unsigned>(a) + static_cast<unsigned>(b)); }
inline unsigned wrappingAdd(unsigned a, unsigned b) { return a + b; }
inline float wrappingAdd(float a, float b) { return a + b; }

}  // namespace emulator

/** IEEE half, as its bits; clang's `_Float16` rounds to the nearest even value. */
inline float halfToFloat(unsigned short half) { return static_cast<float>(std::bit_cast<_Float16>(half)); }
inline unsigned short floatToHalf(float value) { return std::bit_cast<unsigned short>(static_cast<_Float16>(value)); }
/** `low` in the lower 16 bits. */
inline unsigned packHalf2(float low, float high) { return floatToHalf(low) | static_cast<unsigned>(floatToHalf(high)) << 16; }
inline float bfloatToFloat(unsigned short bfloat) { return std::bit_cast<float>(static_cast<unsigned>(bfloat) << 16); }

inline int floatAsInt(float value) { return std::bit_cast<int>(value); }
inline float intAsFloat(int bits) { return std::bit_cast<float>(bits); }

/** c + the sum of the products of four signed bytes; wraps. */
inline int dp4a(int a, int b, int c) {
    unsigned sum = static_cast<unsigned>(c);
    for (unsigned shift = 0; shift < 32; shift += 8)
        sum += static_cast<unsigned>(static_cast<std::int8_t>(a >> shift) * static_cast<std::int8_t>(b >> shift));
    return static_cast<int>(sum);
}

inline float fma(float a, float b, float c) { return __builtin_fmaf(a, b, c); }

inline float sqrtExact(float value) { return __builtin_sqrtf(value); }
/** The device's are off by up to 2 units in the last place, and take denormal numbers for zero. */
inline float rsqrtApprox(float value) { return 1.0f / __builtin_sqrtf(value); }
inline float exp2Approx(float value) { return __builtin_exp2f(value); }
