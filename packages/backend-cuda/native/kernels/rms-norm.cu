// RMS norms: norm-chain.cuh, a block a row.
#include "norm-chain.cuh"
#include "rows.cuh"

struct RmsNormArgs {
  const int* run;
  const float* x;           // [rows, width], as all that follow but the weights
  const float* weight;      // [width]
  const float* residual;    // or none
  float* out;               // or none where there are only codes
  const float* nextWeight;  // [width], or none
  float* next;              // or none
  CodeRow codes;            // of the last norm's rows, or none
  int width;
  float eps, nextEps;
};

template <typename T>
GPU_DEVICE T* rowOrNone(T* buffer, int row, int width) { return buffer == nullptr ? nullptr : rowAt(buffer, row, width); }

GPU_KERNEL_OCCUPANCY(rms_norm, RmsNormArgs, NORM_THREADS, 2) {
  GPU_SHARED(float, places, MAX_WARPS);
  const int row = blockIdx.x, width = args.width;
  const NormChain norm = {rowAt(args.x, row, width), args.weight, rowOrNone(args.residual, row, width), rowOrNone(args.out, row, width), args.nextWeight, rowOrNone(args.next, row, width),
                          {rowOrNone(args.codes.codes, row, width), rowOrNone(args.codes.groups, row, width / (4 * GROUP_LANES))}, width, args.eps, args.nextEps};
  if (width % 4 == 0) {
    runNormChain<true>(norm, places);
  } else {
    runNormChain<false>(norm, places);
  }
}
