// Means over size × size blocks of a square grid of rows. A block an output row.
#include "rows.cuh"

struct AvgPoolArgs {
  const int* run;
  const float* x;  // [side², width]
  float* out;      // [(side / size)², width]
  int width, side, size;
};

GPU_KERNEL(avg_pool, AvgPoolArgs) {
  const int outSide = args.side / args.size;
  const int top = static_cast<int>(blockIdx.x) / outSide * args.size, left = static_cast<int>(blockIdx.x) % outSide * args.size;
  for (int i = threadIdx.x; i < args.width; i += blockDim.x) {
    float sum = 0.0f;
    for (int y = top; y < top + args.size; y++)
      for (int x = left; x < left + args.size; x++) sum += rowAt(args.x, y * args.side + x, args.width)[i];
    rowAt(args.out, blockIdx.x, args.width)[i] = sum / static_cast<float>(args.size * args.size);
  }
}
