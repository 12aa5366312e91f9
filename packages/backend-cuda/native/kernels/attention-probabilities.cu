// For inspection: what attention's softmax was, by slot, zero where nothing is seen. A block a head of a row.
#include "cache.cuh"
#include "reduce.cuh"
#include "rows.cuh"

struct ProbabilitiesArgs {
  const int* run;
  const float* q;          // [rows, heads · headDim]
  const void* k;           // [capacity, kvHeads · headDim]
  const int *begin, *end;  // [rows]
  float* out;              // [rows, heads, capacity]
  int heads, kvHeads, headDim, capacity;
  float scale;
};

template <typename Cache>
GPU_DEVICE void probabilities(const ProbabilitiesArgs& args, Shared<float> places) {
  const int head = blockIdx.x, row = blockIdx.y, headDim = args.headDim, kvWidth = args.kvHeads * headDim;
  const int begin = args.begin[row], end = args.end[row];
  const float* q = rowAt(args.q, row, args.heads * headDim) + head * headDim;
  float* out = rowAt(args.out, row * args.heads + head, args.capacity);
  for (int slot = threadIdx.x; slot < args.capacity; slot += blockDim.x) out[slot] = 0.0f;
  __syncthreads();
  float greatest = LOWEST;
  for (int position = begin + static_cast<int>(threadIdx.x); position < end; position += blockDim.x) {
    const Cache* key = rowAt(static_cast<const Cache*>(args.k), position % args.capacity, kvWidth) + head / (args.heads / args.kvHeads) * headDim;
    float score = 0.0f;
    for (int i = 0; i < headDim; i++) score = fma(q[i], cacheValue(key[i]), score);
    out[position % args.capacity] = score * args.scale;
    greatest = most(greatest, score * args.scale);
  }
  greatest = blockReduce<Maximum>(greatest, places);
  float sum = 0.0f;
  for (int position = begin + static_cast<int>(threadIdx.x); position < end; position += blockDim.x) {
    const float weight = exponential(out[position % args.capacity] - greatest);
    out[position % args.capacity] = weight;
    sum += weight;
  }
  const float total = blockReduce<Sum>(sum, places);
  for (int position = begin + static_cast<int>(threadIdx.x); position < end; position += blockDim.x) out[position % args.capacity] /= total;
}

GPU_KERNEL(attention_probabilities_f32, ProbabilitiesArgs) {
  GPU_SHARED(float, places, MAX_WARPS);
  probabilities<float>(args, places);
}

GPU_KERNEL(attention_probabilities_f16, ProbabilitiesArgs) {
  GPU_SHARED(float, places, MAX_WARPS);
  probabilities<unsigned short>(args, places);
}
