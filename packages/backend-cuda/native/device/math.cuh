// Functions that CUDA takes from libdevice, in portable C++: the device and the emulation compute the same bits.
#pragma once

constexpr float INFINITE = __builtin_inff();

GPU_DEVICE float least(float a, float b) { return a < b ? a : b; }
GPU_DEVICE float most(float a, float b) { return a > b ? a : b; }
GPU_DEVICE int least(int a, int b) { return a < b ? a : b; }
GPU_DEVICE int most(int a, int b) { return a > b ? a : b; }
GPU_DEVICE float magnitude(float x) { return intAsFloat(floatAsInt(x) & 0x7fffffff); }
GPU_DEVICE int ceilDiv(int a, int b) { return (a + b - 1) / b; }

// The nearest integer, ties to even, for |x| < 2^22: adding 1.5 · 2^23 leaves it in the lowest bits.
GPU_DEVICE int nearestInt(float x) { return floatAsInt(x + 12582912.0f) - floatAsInt(12582912.0f); }

// e^x to about a unit in the last place; 0 below −87, ∞ above 88.7. Cody and Waite's reduction, Cephes' polynomial (expf.c).
GPU_DEVICE float exponential(float x) {
  if (x < -87.0f) return 0.0f;
  const float shifted = fma(least(x, 89.0f), 1.44269504f, 12582912.0f);
  const float n = shifted - 12582912.0f;
  const float r = fma(n, 2.12194440e-4f, fma(n, -0.693359375f, x));
  float p = 1.9875691500e-4f;
  p = fma(p, r, 1.3981999507e-3f);
  p = fma(p, r, 8.3334519073e-3f);
  p = fma(p, r, 4.1665795894e-2f);
  p = fma(p, r, 1.6666665459e-1f);
  p = fma(p, r, 5.0000001201e-1f);
  p = fma(p * r, r, r) + 1.0f;
  // 2^n in two factors: n may be 128.
  const unsigned bits = static_cast<unsigned>(floatAsInt(shifted)) - 0x4b400000u;
  return p * intAsFloat(static_cast<int>((bits + 126u) << 23)) * 2.0f;
}

// ln x for normal x > 0: two of Halley's steps from what the exponent says; each cubes the error, which begins at 0.06.
GPU_DEVICE float logarithm(float x) {
  float y = static_cast<float>(floatAsInt(x) - 0x3f800000) * (0.69314718f / 8388608.0f);
  for (int i = 0; i < 2; i++) {
    const float e = exponential(y);
    y += 2.0f * (x - e) / (x + e);
  }
  return y;
}

// GELU in its tanh form, x / (1 + e^−2u): ½x(1 + tanh u) without its cancellation, and with an exponent that cannot overflow.
GPU_DEVICE float gelu(float x) {
  const float u = 0.797884561f * fma(0.044715f * x * x, x, x);
  return x / (1.0f + exponential(least(-2.0f * u, 88.0f)));
}
