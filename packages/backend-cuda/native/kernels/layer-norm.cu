// out = (x − mean) / √(var + eps) · weight + bias. A block a row.
#include "reduce.cuh"
#include "rows.cuh"

struct LayerNormArgs {
  const int* run;
  const float* x;       // [rows, width]
  const float* weight;  // [width]
  const float* bias;    // [width]
  float* out;           // [rows, width]
  int width;
  float eps;
};

GPU_KERNEL(layer_norm, LayerNormArgs) {
  GPU_SHARED(float, places, MAX_WARPS);
  const float* x = rowAt(args.x, blockIdx.x, args.width);
  float* out = rowAt(args.out, blockIdx.x, args.width);
  const float count = static_cast<float>(args.width);
  float sum = 0.0f;
  for (int i = threadIdx.x; i < args.width; i += blockDim.x) sum += x[i];
  const float mean = blockReduce<Sum>(sum, places) / count;
  float squares = 0.0f;
  for (int i = threadIdx.x; i < args.width; i += blockDim.x) squares = fma(x[i] - mean, x[i] - mean, squares);
  const float scale = 1.0f / sqrtExact(blockReduce<Sum>(squares, places) / count + args.eps);
  for (int i = threadIdx.x; i < args.width; i += blockDim.x) out[i] = fma((x[i] - mean) * scale, args.weight[i], args.bias[i]);
}
