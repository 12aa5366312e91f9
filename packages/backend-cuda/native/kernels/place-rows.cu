// out[r] = source[index[r]] where index[r] ≥ 0, else unchanged. A block a row.
#include "rows.cuh"

struct PlaceRowsArgs {
  const int* run;
  const float* source;  // [n, width]
  const int* index;     // [rows]
  float* out;           // [rows, width]
  int width;
};

GPU_KERNEL(place_rows, PlaceRowsArgs) {
  const int from = args.index[blockIdx.x];
  if (from < 0) return;
  for (int i = threadIdx.x; i < args.width; i += blockDim.x) rowAt(args.out, blockIdx.x, args.width)[i] = rowAt(args.source, from, args.width)[i];
}
