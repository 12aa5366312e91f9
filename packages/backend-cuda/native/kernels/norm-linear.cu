// RMS norm, then matrix times vector: each block norms the row for itself, into shared memory. As linear-vector.cu, but x is not normed yet: by
// normWeight, with eps. Its width is a multiple of 32.
#include "vector-product.cuh"

constexpr int MAX_NORM_WIDTH = 6144;

GPU_DEVICE void storeColumns(const SharedFloatRow& to, int column, float4 four, bool isThere) {
  if (isThere) storeShared(to.values, column, four);
}
GPU_DEVICE void storeColumns(const SharedCodedRow& to, int column, float4 four, bool isThere) {
  const QuantizedFour q = quantizeFour(four);
  if (!isThere) return;
  to.codes[column / 4] = q.codes;
  if (column % GROUP != 0) return;
  to.scales[column / GROUP] = q.scale;
  to.sums[column / GROUP] = q.sum;
}

template <typename To>
GPU_DEVICE void normInto(const To& to, const VectorArgs& args, Shared<float> places) {
  const float* x = rowAt(static_cast<const float*>(args.x), blockIdx.y, args.width);
  const float scale = rmsScale(blockReduce<Sum>(squaresOf<true>(x, args.width), places), args.width, args.eps);
  // As far as the warp has columns: its lanes quantise together.
  for (int column = 4 * threadIdx.x; column - 4 * static_cast<int>(threadIdx.x % WARP) < args.width; column += 4 * VECTOR_THREADS)
    storeColumns(to, column, scaleFour(loadColumns<true>(x, column, args.width), scale, loadColumns<true>(args.normWeight, column, args.width)), column < args.width);
  __syncthreads();
}

GPU_KERNEL_OCCUPANCY(norm_linear, VectorArgs, VECTOR_THREADS, 4) {
  GPU_SHARED(float, values, MAX_NORM_WIDTH);
  GPU_SHARED(float, results, MAX_BLOCK_OUTPUTS);
  GPU_SHARED(float, places, MAX_WARPS);
  const SharedFloatRow x = {values};
  normInto(x, args, places);
  vectorProduct(args, x, results);
}

GPU_KERNEL_OCCUPANCY(norm_linear_coded, VectorArgs, VECTOR_THREADS, 3) {
  GPU_SHARED(unsigned, codes, MAX_NORM_WIDTH / 4);
  GPU_SHARED(float, scales, MAX_NORM_WIDTH / GROUP);
  GPU_SHARED(float, sums, MAX_NORM_WIDTH / GROUP);
  GPU_SHARED(float, results, MAX_BLOCK_OUTPUTS);
  GPU_SHARED(float, places, MAX_WARPS);
  const SharedCodedRow x = {codes, scales, sums};
  normInto(x, args, places);
  vectorProduct(args, x, results);
}
