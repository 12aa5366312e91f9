// Rows of f32 as int8 codes: a block a row.
#include "quantize.cuh"
#include "rows.cuh"

struct QuantizeArgs {
  const int* run;
  const float* x;      // [rows, width], width a multiple of 32
  signed char* codes;  // [rows, width]
  float2* groups;      // [rows, width / 32]: scale, and scale times the sum of the codes
  int width;
};

GPU_KERNEL(quantize, QuantizeArgs) {
  const float* x = rowAt(args.x, blockIdx.x, args.width);
  const CodeRow to = {rowAt(args.codes, blockIdx.x, args.width), rowAt(args.groups, blockIdx.x, args.width / (4 * GROUP_LANES))};
  // As far as the warp has columns: its lanes quantise together.
  for (int column = 4 * threadIdx.x; column - 4 * static_cast<int>(threadIdx.x % WARP) < args.width; column += 4 * blockDim.x) {
    const bool isThere = column < args.width;
    storeQuantized(to, column, isThere ? loadFour<true>(x, column, args.width) : float4{0.0f, 0.0f, 0.0f, 0.0f}, isThere);
  }
}
