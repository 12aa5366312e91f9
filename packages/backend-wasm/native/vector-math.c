#include "vector-math.h"

double log1(double x) {
  union { double value; uint64_t bits; } u = {x};
  int exponent = (int)(u.bits >> 52) - 1023;
  u.bits = (u.bits & 0xfffffffffffffull) | (1023ull << 52);  // mantissa in [1, 2)
  if (u.value > 1.4142135623730951) {
    u.value *= 0.5;
    exponent++;
  }
  // ln m = 2·artanh(s), s = (m − 1) / (m + 1), |s| ≤ 0.172: twelve odd terms leave 1e-20.
  const double s = (u.value - 1) / (u.value + 1), s2 = s * s;
  double sum = 0, power = s;
  for (int k = 1; k <= 23; k += 2) {
    sum += power / k;
    power *= s2;
  }
  return exponent * 0.6931471805599453 + 2 * sum;
}
