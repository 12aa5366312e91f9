// Queries normalised and rotated in place, keys likewise into the cache, values into the cache. A warp a head of a row: query heads, then key
// heads, then value heads.
#include "cache.cuh"
#include "rope.cuh"
#include "rows.cuh"

struct NormRopeStoreArgs {
  const int* run;
  float* q;                    // [rows, heads · headDim]
  const float *k, *v;          // [rows, kvHeads · headDim]
  const float *qNorm, *kNorm;  // [headDim]
  const float* rope;           // [rows, headDim]
  void *kCache, *vCache;       // [capacity, kvHeads · headDim]
  int heads, kvHeads, headDim, capacity;
  float eps;
};

template <typename Cache>
GPU_DEVICE void normRopeStore(const NormRopeStoreArgs& args) {
  const int row = blockIdx.y, headDim = args.headDim, head = blockIdx.x * (blockDim.x / WARP) + threadIdx.x / WARP;
  const float* rope = rowAt(args.rope, row, headDim);
  if (head < args.heads) {
    float* q = rowAt(args.q, row, args.heads * headDim) + head * headDim;
    normRope(q, args.qNorm, rope, headDim, args.eps, q);
    return;
  }
  if (head >= args.heads + 2 * args.kvHeads) return;
  const bool isKey = head < args.heads + args.kvHeads;
  const int at = (head - args.heads) % args.kvHeads * headDim, kvWidth = args.kvHeads * headDim, slot = (positionOf(args.run) + row) % args.capacity;
  const float* from = rowAt(isKey ? args.k : args.v, row, kvWidth) + at;
  Cache* to = rowAt(static_cast<Cache*>(isKey ? args.kCache : args.vCache), slot, kvWidth) + at;
  if (isKey) {
    normRope(from, args.kNorm, rope, headDim, args.eps, to);
  } else {
    for (int i = threadIdx.x % WARP; i < headDim; i += WARP) storeValue(to, i, from[i]);
  }
}

GPU_KERNEL(norm_rope_store_f32, NormRopeStoreArgs) { normRopeStore<float>(args); }

GPU_KERNEL(norm_rope_store_f16, NormRopeStoreArgs) { normRopeStore<unsigned short>(args); }
