// out[t] = x[index[t]]. A block a row.
#include "rows.cuh"

struct TakeRowsArgs {
  const int* run;
  const float* x;    // [rows, width]
  const int* index;  // [taken]
  float* out;        // [taken, width]
  int width;
};

GPU_KERNEL(take_rows, TakeRowsArgs) {
  const int from = args.index[blockIdx.x];
  for (int i = threadIdx.x; i < args.width; i += blockDim.x) rowAt(args.out, blockIdx.x, args.width)[i] = rowAt(args.x, from, args.width)[i];
}
