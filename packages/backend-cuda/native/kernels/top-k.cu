// The best logits of each row, by (adjusted logit descending, id ascending), and log Σ exp over all allowed ids. In two steps: blocks find the best
// of a slice of the vocabulary, then one block a row the best of those. Candidates stay in the order of their ids, which settles ties.
#include "rows.cuh"
#include "select.cuh"

// Keys that a block can look at: of a slice, or of all candidates.
constexpr int MAX_KEYS = 10240;
constexpr int MAX_COUNT = SELECT_THREADS;
constexpr float LOWEST = -3.0e38f;

struct TopKArgs {
  const int* run;
  const float* logits;    // [taken, vocab]
  const unsigned* mask;   // [⌈vocab / 32⌉]: bit id set means allowed
  const int* adjustIds;   // [adjusted]
  const float* adjust;    // [adjusted, 3]: bias, scale, shift
  uint2* candidates;      // [taken, slices, count]: key and id, the best of each slice; then keys of 0
  float2* exponentials;   // [taken, slices]: greatest allowed logit, Σ exp relative to it
  int* ids;               // [taken, count]
  float* values;          // [taken, count]
  float* logSumExp;       // [taken]
  int vocab, count, slices, slice;
};

struct SliceStore {
  uint2* candidates;
  int firstId;
};
GPU_DEVICE void storeKey(const SliceStore& to, int place, int i, unsigned key) { to.candidates[place] = {key, static_cast<unsigned>(to.firstId + i)}; }

GPU_DEVICE float adjusted(float logit, const float* adjust) {
  const float biased = logit + adjust[0];
  return (biased > 0.0f ? biased / adjust[1] : biased * adjust[1]) + adjust[2];
}

GPU_KERNEL_OCCUPANCY(top_k_slice, TopKArgs, SELECT_THREADS, 1) {
  GPU_SHARED(unsigned, keys, MAX_KEYS);
  GPU_SHARED(unsigned, histogram, DIGITS);
  GPU_SHARED(unsigned, digit, 2);
  GPU_SHARED(int, sums, MAX_WARPS);
  GPU_SHARED(float, places, MAX_WARPS);
  const int slice = blockIdx.x, row = blockIdx.y, firstId = slice * args.slice, size = least(args.slice, args.vocab - firstId), at = row * args.slices + slice;
  const float* logits = rowAt(args.logits, row, args.vocab) + firstId;
  for (int i = threadIdx.x; i < size; i += SELECT_THREADS) keys[i] = args.mask[(firstId + i) / 32] >> ((firstId + i) % 32) & 1u ? keyOf(logits[i]) : 0u;
  __syncthreads();
  const int adjustments = adjustedOf(args.run);
  for (int j = threadIdx.x; j < adjustments; j += SELECT_THREADS) {
    const int i = args.adjustIds[j] - firstId;
    if (i >= 0 && i < size && keys[i] != 0u) keys[i] = keyOf(adjusted(logits[i], args.adjust + 3 * j));
  }
  __syncthreads();

  const SelectShared shared = {histogram, digit, sums};
  unsigned greatest = 0;
  for (int i = threadIdx.x; i < size; i += SELECT_THREADS) greatest = join(Maximum(), greatest, static_cast<unsigned>(keys[i]));
  greatest = blockReduce<Maximum>(greatest, histogram);
  float sum = 0.0f;
  for (int i = threadIdx.x; i < size; i += SELECT_THREADS)
    if (keys[i] != 0u) sum += exponential(valueOfKey(keys[i]) - valueOfKey(greatest));
  sum = blockReduce<Sum>(sum, places);
  if (threadIdx.x == 0) args.exponentials[at] = {greatest == 0 ? LOWEST : valueOfKey(greatest), sum};

  uint2* candidates = rowAt(args.candidates, at, args.count);
  const Selection selection = selectGreatest(keys, size, args.count, shared);
  const int found = collect(keys, size, selection, shared, SliceStore{candidates, firstId});
  for (int i = found + static_cast<int>(threadIdx.x); i < args.count; i += SELECT_THREADS) candidates[i] = {0, 0};
}

struct BestStore {
  const uint2* candidates;
  Shared<unsigned> bestKeys, ids;
};
GPU_DEVICE void storeKey(const BestStore& to, int place, int i, unsigned key) {
  to.bestKeys[place] = key;
  to.ids[place] = to.candidates[i].y;
}

GPU_KERNEL_OCCUPANCY(top_k_merge, TopKArgs, SELECT_THREADS, 1) {
  GPU_SHARED(unsigned, histogram, DIGITS);
  GPU_SHARED(unsigned, digit, 2);
  GPU_SHARED(int, sums, MAX_WARPS);
  GPU_SHARED(float, places, MAX_WARPS);
  GPU_SHARED(unsigned, keys, MAX_KEYS);
  GPU_SHARED(unsigned, bestKeys, MAX_COUNT);
  GPU_SHARED(unsigned, ids, MAX_COUNT);
  const int row = blockIdx.x, thread = threadIdx.x;

  float greatest = LOWEST;
  const float2* exponentials = rowAt(args.exponentials, row, args.slices);
  for (int i = thread; i < args.slices; i += SELECT_THREADS) greatest = most(greatest, exponentials[i].x);
  greatest = blockReduce<Maximum>(greatest, places);
  float sum = 0.0f;
  for (int i = thread; i < args.slices; i += SELECT_THREADS) sum = fma(exponentials[i].y, exponential(exponentials[i].x - greatest), sum);
  sum = blockReduce<Sum>(sum, places);
  if (thread == 0) args.logSumExp[row] = sum == 0.0f ? -INFINITE : greatest + logarithm(sum);  // NaN stays: the host says so then

  const uint2* candidates = rowAt(args.candidates, row * args.slices, args.count);
  const SelectShared shared = {histogram, digit, sums};
  const int listed = args.slices * args.count;
  for (int i = thread; i < listed; i += SELECT_THREADS) keys[i] = candidates[i].x;
  __syncthreads();
  const Selection selection = selectGreatest(keys, listed, args.count, shared);
  const int found = collect(keys, listed, selection, shared, BestStore{candidates, bestKeys, ids});
  __syncthreads();
  int* outIds = rowAt(args.ids, row, args.count);
  float* outValues = rowAt(args.values, row, args.count);
  if (thread < found) {
    // Each goes to the place that the number of those before it says.
    const unsigned key = bestKeys[thread];
    int place = 0;
    for (int i = 0; i < found; i++) place += bestKeys[i] > key || (bestKeys[i] == key && i < thread);
    outIds[place] = static_cast<int>(static_cast<unsigned>(ids[thread]));
    outValues[place] = valueOfKey(key);
  } else if (thread < args.count) {
    outIds[thread] = -1;
    outValues[thread] = -INFINITE;
  }
}
