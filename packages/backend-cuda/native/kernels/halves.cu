// Rows of f32 as f16 for tensor cores, which halves could not hold: each row is scaled by a power of two that brings its greatest to 2^14 … 2^15.
// A block a row.
#include "reduce.cuh"
#include "rows.cuh"

struct HalvesArgs {
  const int* run;
  const float* x;          // [rows, width]
  unsigned short* halves;  // [rows, paddedWidth], with zeros past the width
  float* scales;           // [rows]: what a half is to be multiplied with
  int width, paddedWidth;
};

GPU_KERNEL(halves, HalvesArgs) {
  GPU_SHARED(float, places, MAX_WARPS);
  const float* x = rowAt(args.x, blockIdx.x, args.width);
  unsigned short* halves = rowAt(args.halves, blockIdx.x, args.paddedWidth);
  float greatest = 0.0f;
  for (int i = threadIdx.x; i < args.width; i += blockDim.x) greatest = most(greatest, magnitude(x[i]));
  greatest = blockReduce<Maximum>(greatest, places);
  const int exponent = most(floatAsInt(greatest) >> 23, 20) - 127;
  const float factor = intAsFloat((127 + 14 - exponent) << 23);
  for (int i = threadIdx.x; i < args.paddedWidth; i += blockDim.x) halves[i] = floatToHalf(i < args.width ? x[i] * factor : 0.0f);
  if (threadIdx.x == 0) args.scales[blockIdx.x] = intAsFloat((127 - 14 + exponent) << 23);
}
