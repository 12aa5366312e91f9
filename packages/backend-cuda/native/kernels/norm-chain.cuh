// One or two RMS norms of a row, the second of what the first gives, and int8 codes of the last: what stands between two products.
#pragma once
#include "quantize.cuh"

struct NormChain {
  const float* x;           // [width]
  const float* weight;      // [width]
  const float* residual;    // [width], or none; may be `out`
  float* out;               // [width]: x / √(mean(x²) + eps) · weight + residual; or none where it is the last
  const float* nextWeight;  // [width], or none
  float* next;              // [width]: out / √(mean(out²) + nextEps) · nextWeight, or none
  CodeRow codes;            // of the last of the two, or none; then width is a multiple of 32
  int width;
  float eps, nextEps;
};

constexpr int NORM_THREADS = 256;
// Fours that a thread loads before it uses the first.
constexpr int foursAtOnce(bool isAligned) { return isAligned ? 3 : 1; }

GPU_DEVICE float rmsScale(float squares, int width, float eps) { return 1.0f / sqrtExact(squares / static_cast<float>(width) + eps); }

template <bool ALIGNED>
GPU_DEVICE float4 loadColumns(const float* row, int column, int width) { return row != nullptr && column < width ? loadFour<ALIGNED>(row, column, width) : float4{0.0f, 0.0f, 0.0f, 0.0f}; }

// This thread's part of Σ x².
template <bool ALIGNED>
GPU_DEVICE float squaresOf(const float* x, int width) {
  constexpr int FOURS = foursAtOnce(ALIGNED);
  float squares = 0.0f;
  for (int base = 4 * threadIdx.x; base < width; base += 4 * NORM_THREADS * FOURS) {
    float4 fours[FOURS];
#pragma unroll
    for (int i = 0; i < FOURS; i++) fours[i] = loadColumns<ALIGNED>(x, base + i * 4 * NORM_THREADS, width);
#pragma unroll
    for (int i = 0; i < FOURS; i++) squares = dotFour(fours[i], fours[i], squares);
  }
  return squares;
}

// out = x · scale · weight + residual, as codes too. @returns this thread's part of Σ out²
template <bool ALIGNED>
GPU_DEVICE float storeNormed(const float* x, float scale, const float* weight, const float* residual, float* out, const CodeRow& codes, int width) {
  constexpr int FOURS = foursAtOnce(ALIGNED);
  float squares = 0.0f;
  // As far as the warp has columns: its lanes quantise together.
  for (int base = 4 * threadIdx.x; base - 4 * static_cast<int>(threadIdx.x % WARP) < width; base += 4 * NORM_THREADS * FOURS) {
    float4 fours[FOURS], weights[FOURS], residuals[FOURS];
#pragma unroll
    for (int i = 0; i < FOURS; i++) {
      const int column = base + i * 4 * NORM_THREADS;
      fours[i] = loadColumns<ALIGNED>(x, column, width);
      weights[i] = loadColumns<ALIGNED>(weight, column, width);
      residuals[i] = loadColumns<ALIGNED>(residual, column, width);
    }
#pragma unroll
    for (int i = 0; i < FOURS; i++) {
      const int column = base + i * 4 * NORM_THREADS;
      float4 value = scaleFour(fours[i], scale, weights[i]);
      if (residual != nullptr) value = addFour(value, residuals[i]);
      if (out != nullptr && column < width) storeFour<ALIGNED>(out, column, width, value);
      squares = dotFour(value, value, squares);
      if (codes.codes != nullptr) storeQuantized(codes, column, value, column < width);
    }
  }
  return squares;
}

// All threads of a block of NORM_THREADS. A thread reads of `out` only what it wrote itself. `places`: [MAX_WARPS]
template <bool ALIGNED>
GPU_DEVICE void runNormChain(const NormChain& norm, Shared<float> places) {
  const bool isLast = norm.nextWeight == nullptr;
  const CodeRow none = {nullptr, nullptr};
  const float scale = rmsScale(blockReduce<Sum>(squaresOf<ALIGNED>(norm.x, norm.width), places), norm.width, norm.eps);
  const float squares = storeNormed<ALIGNED>(norm.x, scale, norm.weight, norm.residual, norm.out, isLast ? norm.codes : none, norm.width);
  if (isLast) return;
  const float nextScale = rmsScale(blockReduce<Sum>(squares, places), norm.width, norm.nextEps);
  storeNormed<ALIGNED>(norm.out, nextScale, norm.nextWeight, nullptr, norm.next, norm.codes, norm.width);
}
