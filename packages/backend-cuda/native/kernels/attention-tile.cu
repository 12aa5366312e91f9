// Attention of many rows in f32: a block takes eight rows of one head through all keys that any of them sees, 32 at a time.
#include "cache.cuh"
#include "reduce.cuh"
#include "rows.cuh"

constexpr int TILE_THREADS = 256;
constexpr int TILE_ROWS = TILE_THREADS / WARP;  // a warp a row
constexpr int TILE_KEYS = WARP;                 // a lane a key
constexpr int MAX_HEAD_DIM = 256;
// From a key to the next: fours stay aligned, and keys begin in different banks.
constexpr int KEY_STRIDE = MAX_HEAD_DIM + 4;

struct AttentionTileArgs {
  const int* run;
  const float* q;          // [rows, heads · headDim]
  const void *k, *v;       // [capacity, kvHeads · headDim]
  const int *begin, *end;  // [rows]
  float* out;              // [rows, heads · headDim]
  int rows, heads, kvHeads, headDim, capacity;
  float scale;
};

template <typename Cache>
GPU_DEVICE void attendTile(const AttentionTileArgs& args, Shared<float> queries, Shared<float> keys, Shared<float> weights, Shared<float> corrections, Shared<int> bounds) {
  const int rows = rowsOf(args.run, args.rows), headDim = args.headDim, width = args.heads * headDim, kvWidth = args.kvHeads * headDim;
  const int head = blockIdx.y, kvAt = head / (args.heads / args.kvHeads) * headDim, padded = ceilDiv(headDim, 4) * 4;
  const int warp = threadIdx.x / WARP, lane = threadIdx.x % WARP, row0 = blockIdx.x * TILE_ROWS, row = least(row0 + warp, rows - 1);
  const int begin = args.begin[row], end = args.end[row];
  if (lane == 0) {
    bounds[warp] = begin;
    bounds[TILE_ROWS + warp] = end;
  }
  for (int i = lane; i < padded; i += WARP) queries[warp * MAX_HEAD_DIM + i] = i < headDim ? rowAt(args.q, row, width)[head * headDim + i] * args.scale : 0.0f;
  __syncthreads();
  int low = bounds[0], high = bounds[TILE_ROWS];
  for (int i = 1; i < TILE_ROWS; i++) {
    low = least(low, static_cast<int>(bounds[i]));
    high = most(high, static_cast<int>(bounds[TILE_ROWS + i]));
  }

  // A lane has a key's score of the warp's row; a thread has a column of all rows' sums.
  const int column = threadIdx.x;
  float sums[TILE_ROWS] = {}, greatest = LOWEST, total = 0.0f;
  for (int tile = low; tile < high; tile += TILE_KEYS) {
    for (int j = warp; j < TILE_KEYS; j += TILE_ROWS) {
      const Cache* key = rowAt(static_cast<const Cache*>(args.k), (tile + j) % args.capacity, kvWidth) + kvAt;
      for (int i = lane; i < padded; i += WARP) keys[j * KEY_STRIDE + i] = tile + j < high && i < headDim ? cacheValue(key[i]) : 0.0f;
    }
    __syncthreads();
    const int position = tile + lane;
    const bool isSeen = position >= begin && position < end;
    float score = 0.0f;
    for (int i = 0; i < padded; i += 4) {
      const float4 a = loadShared<float4>(queries, warp * MAX_HEAD_DIM + i), b = loadShared<float4>(keys, lane * KEY_STRIDE + i);
      score = fma(a.w, b.w, fma(a.z, b.z, fma(a.y, b.y, fma(a.x, b.x, score))));
    }
    const float before = greatest;
    greatest = most(before, warpReduce<Maximum>(isSeen ? score : LOWEST));
    const float weight = isSeen ? exponential(score - greatest) : 0.0f, correction = exponential(before - greatest);
    total = fma(total, correction, warpReduce<Sum>(weight));
    weights[lane * TILE_ROWS + warp] = weight;
    if (lane == 0) corrections[warp] = correction;
    __syncthreads();
    if (column < headDim) {
#pragma unroll
      for (int r = 0; r < TILE_ROWS; r++) sums[r] *= corrections[r];
      const int count = least(TILE_KEYS, high - tile);
      for (int j = 0; j < count; j++) {
        const float value = cacheValue((rowAt(static_cast<const Cache*>(args.v), (tile + j) % args.capacity, kvWidth) + kvAt)[column]);
        const float4 first = loadShared<float4>(weights, j * TILE_ROWS), second = loadShared<float4>(weights, j * TILE_ROWS + 4);
        const float of[TILE_ROWS] = {first.x, first.y, first.z, first.w, second.x, second.y, second.z, second.w};
#pragma unroll
        for (int r = 0; r < TILE_ROWS; r++) sums[r] = fma(of[r], value, sums[r]);
      }
    }
  }
  __syncthreads();
  if (lane == 0) corrections[warp] = 1.0f / most(total, 1e-30f);  // a row that sees nothing gets 0
  __syncthreads();
  if (column >= headDim) return;
#pragma unroll
  for (int r = 0; r < TILE_ROWS; r++)
    if (row0 + r < rows) rowAt(args.out, row0 + r, width)[head * headDim + column] = sums[r] * corrections[r];
}

#define ATTENTION_TILE_KERNEL(name, Cache)                                  \
  GPU_KERNEL_BOUNDS(name, AttentionTileArgs, TILE_THREADS) {                \
    GPU_SHARED(float, queries, TILE_ROWS* MAX_HEAD_DIM);                    \
    GPU_SHARED(float, keys, TILE_KEYS* KEY_STRIDE);                         \
    GPU_SHARED(float, weights, TILE_KEYS* TILE_ROWS);                       \
    GPU_SHARED(float, corrections, TILE_ROWS);                              \
    GPU_SHARED(int, bounds, 2 * TILE_ROWS);                                 \
    attendTile<Cache>(args, queries, keys, weights, corrections, bounds);   \
  }
ATTENTION_TILE_KERNEL(attention_tile_f32, float)
ATTENTION_TILE_KERNEL(attention_tile_f16, unsigned short)
