// Sums and maxima over the threads of a warp or a block, in an order that does not depend on time.
#pragma once
#include "../device/gpu.cuh"

constexpr unsigned ALL_LANES = 0xffffffffu;
constexpr int WARP = 32;
// Of a block: what reductions need of shared memory, a place a warp.
constexpr int MAX_WARPS = 16;

struct Sum {};
struct Maximum {};
template <typename T>
GPU_DEVICE T join(Sum, T a, T b) { return a + b; }
template <typename T>
GPU_DEVICE T join(Maximum, T a, T b) { return a > b ? a : b; }

// Over teams of `team` neighbouring lanes, a power of two. Every lane gets the result.
template <typename Op, typename T>
GPU_DEVICE T teamReduce(T value, int team) {
  for (int distance = team / 2; distance > 0; distance /= 2) value = join(Op(), value, __shfl_xor_sync(ALL_LANES, value, distance));
  return value;
}
template <typename Op, typename T>
GPU_DEVICE T warpReduce(T value) { return teamReduce<Op>(value, WARP); }

// Every thread of the block calls it and gets the result. `places`: [MAX_WARPS]
template <typename Op, typename T>
GPU_DEVICE T blockReduce(T value, Shared<T> places) {
  const int warp = threadIdx.x / WARP, warps = blockDim.x / WARP;
  const T ofWarp = warpReduce<Op>(value);
  __syncthreads();  // for the reduction before this one
  if (threadIdx.x % WARP == 0) places[warp] = ofWarp;
  __syncthreads();
  T result = places[0];
  for (int i = 1; i < warps; i++) result = join(Op(), result, static_cast<T>(places[i]));
  return result;
}
