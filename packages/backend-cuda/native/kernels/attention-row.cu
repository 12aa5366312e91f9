// Attention of few rows, as in decoding: blocks share the keys of a row, and the last one to finish joins what they found.
//
// A block takes up to four query heads of one kv head, and some keys. Teams of lanes take a key each, a lane eight of its columns, with softmax
// as they go. The second pair of kernels also does what normRopeStore does, so that a decode step needs no kernel for that.
#include "cache.cuh"
#include "last-block.cuh"
#include "quantize.cuh"
#include "rope.cuh"
#include "rows.cuh"

constexpr int ROW_THREADS = 256;
constexpr int ROW_HEADS = 4;
constexpr int MAX_HEAD_DIM = 256;
constexpr int SUMS = ROW_THREADS * 8;  // of a head
// What a block takes at least: fewer keys are not worth a block.
constexpr int MIN_KEYS = 32;
// What a team takes at a time.
constexpr int KEYS_AT_ONCE = 2;

struct AttentionRowArgs {
  const int* run;
  const float* q;            // [rows, heads · headDim]
  void *k, *v;               // [capacity, kvHeads · headDim]
  const int *begin, *end;    // [rows]
  float* out;                // [rows, heads · headDim], or none
  CodeRow codes;             // of the only row, or none; then headDim is a multiple of 32
  float* partials;           // [rows, heads, splits, headDim + 2]: sums, greatest score, Σ exp
  int* tickets;              // [rows, gridDim.y], 0 before and after
  // For the kernels that norm, rotate and store: the row's own key and value.
  const float *newK, *newV;  // [rows, kvHeads · headDim]
  const float *qNorm, *kNorm;  // [headDim]
  const float* rope;         // [rows, headDim]
  int heads, kvHeads, headDim, capacity, splits;
  float scale, eps;
};

struct RowShared {
  Shared<float> queries;          // [ROW_HEADS, MAX_HEAD_DIM]; at the end, the result
  Shared<float> sums;             // [ROW_HEADS, teams, 8 · team]
  Shared<float> maxima, totals;   // [ROW_HEADS, teams]
  Shared<int> tickets;            // [1]
};

// What a block works on. Keys [low, high) are one of `parts` shares of all that the row sees.
struct RowPart {
  int row, kvHead, firstHead, heads, parts, low, high;
};

GPU_DEVICE RowPart rowPartOf(const AttentionRowArgs& args) {
  const int row = blockIdx.z, perKvHead = args.heads / args.kvHeads, blocksPerKvHead = ceilDiv(perKvHead, ROW_HEADS);
  const int kvHead = static_cast<int>(blockIdx.y) / blocksPerKvHead, first = static_cast<int>(blockIdx.y) % blocksPerKvHead * ROW_HEADS;
  const int begin = args.begin[row], end = args.end[row], keys = most(MIN_KEYS, ceilDiv(end - begin, args.splits));
  const int low = begin + static_cast<int>(blockIdx.x) * keys;
  return {row, kvHead, kvHead * perKvHead + first, least(ROW_HEADS, perKvHead - first), most(1, ceilDiv(end - begin, keys)), low, least(low + keys, end)};
}

GPU_DEVICE float* partialOf(const AttentionRowArgs& args, int row, int head, int part) {
  return rowAt(args.partials, (row * args.heads + head) * args.splits + part, args.headDim + 2);
}

// Softmax over shares of the keys: each has a sum, its greatest score, and Σ exp relative to that.
struct Joined {
  float greatest, total, sum;
};
GPU_DEVICE void joinShare(Joined& joined, float greatest, float total, float sum) {
  const float factor = exponential(greatest - joined.greatest);
  joined.total = fma(total, factor, joined.total);
  joined.sum = fma(sum, factor, joined.sum);
}

GPU_DEVICE float quotient(float sum, float total) { return sum / most(total, 1e-30f); }  // a row that sees nothing gets 0

// Queries of a head as the block keeps them.
GPU_DEVICE void storeValue(const Shared<float>& to, int i, float value) { to[i] = value; }

// The row's own key and value go to the cache, by the block that sees them, or the first where none does. Warps share the work, and the queries.
template <typename Cache>
GPU_DEVICE void normAndStore(const AttentionRowArgs& args, const RowPart& part, const float* q, const RowShared& shared) {
  const int warp = threadIdx.x / WARP, lane = threadIdx.x % WARP, headDim = args.headDim;
  const float* rope = rowAt(args.rope, part.row, headDim);
  if (warp < part.heads) {
    normRope(q + warp * headDim, args.qNorm, rope, headDim, args.eps, shared.queries.at(warp * MAX_HEAD_DIM));
    return;
  }
  const int position = positionOf(args.run) + part.row, kvWidth = args.kvHeads * headDim, at = part.kvHead * headDim, slot = position % args.capacity;
  const bool isSeen = position >= args.begin[part.row] && position < args.end[part.row];
  if (isSeen ? position < part.low || position >= part.high : blockIdx.x != 0) return;
  if (warp == ROW_HEADS) normRope(rowAt(args.newK, part.row, kvWidth) + at, args.kNorm, rope, headDim, args.eps, rowAt(static_cast<Cache*>(args.k), slot, kvWidth) + at);
  if (warp == ROW_HEADS + 1)
    for (int i = lane; i < headDim; i += WARP) storeValue(rowAt(static_cast<Cache*>(args.v), slot, kvWidth) + at, i, (rowAt(args.newV, part.row, kvWidth) + at)[i]);
}

// A thread a column of each head: what the block's teams found, as this block's part or, where it is the only one, as the result.
GPU_DEVICE void joinTeams(const AttentionRowArgs& args, const RowPart& part, const RowShared& shared, int teams, int team) {
  const int column = threadIdx.x, headDim = args.headDim;
  if (column >= headDim) return;
#pragma unroll 1
  for (int h = 0; h < part.heads; h++) {
    Joined joined = {LOWEST, 0.0f, 0.0f};
#pragma unroll 1
    for (int t = 0; t < teams; t++) joined.greatest = most(joined.greatest, shared.maxima[h * ROW_THREADS + t]);
#pragma unroll 1
    for (int t = 0; t < teams; t++) joinShare(joined, shared.maxima[h * ROW_THREADS + t], shared.totals[h * ROW_THREADS + t], shared.sums[h * SUMS + t * team * 8 + column]);
    if (part.parts == 1) {
      shared.queries[h * MAX_HEAD_DIM + column] = quotient(joined.sum, joined.total);
      continue;
    }
    float* partial = partialOf(args, part.row, part.firstHead + h, blockIdx.x);
    partial[column] = joined.sum;
    if (column == 0) {
      partial[headDim] = joined.greatest;
      partial[headDim + 1] = joined.total;
    }
  }
}

// What all blocks of these heads found.
GPU_DEVICE void joinParts(const AttentionRowArgs& args, const RowPart& part, const RowShared& shared) {
  const int column = threadIdx.x, headDim = args.headDim;
  if (column >= headDim) return;
#pragma unroll 1
  for (int h = 0; h < part.heads; h++) {
    Joined joined = {LOWEST, 0.0f, 0.0f};
#pragma unroll 1
    for (int p = 0; p < part.parts; p++) joined.greatest = most(joined.greatest, partialOf(args, part.row, part.firstHead + h, p)[headDim]);
#pragma unroll 4
    for (int p = 0; p < part.parts; p++) {
      const float* partial = partialOf(args, part.row, part.firstHead + h, p);
      joinShare(joined, partial[headDim], partial[headDim + 1], partial[column]);
    }
    shared.queries[h * MAX_HEAD_DIM + column] = quotient(joined.sum, joined.total);
  }
}

// The finished heads, which took the place of their queries.
GPU_DEVICE void storeHeads(const AttentionRowArgs& args, const RowPart& part, const RowShared& shared) {
  const int headDim = args.headDim, columns = part.heads * headDim, first = part.firstHead * headDim;
  __syncthreads();
  if (args.out != nullptr)
    for (int i = threadIdx.x; i < columns; i += ROW_THREADS) rowAt(args.out, part.row, args.heads * headDim)[first + i] = shared.queries[i / headDim * MAX_HEAD_DIM + i % headDim];
  if (args.codes.codes == nullptr) return;
  // As far as the warp has columns: its lanes quantise together.
  for (int i = 4 * threadIdx.x; i - 4 * static_cast<int>(threadIdx.x % WARP) < columns; i += 4 * ROW_THREADS) {
    const bool isThere = i < columns;
    storeQuantized(args.codes, first + i, isThere ? loadShared<float4>(shared.queries, i / headDim * MAX_HEAD_DIM + i % headDim) : float4{0.0f, 0.0f, 0.0f, 0.0f}, isThere);
  }
}

template <typename Cache, bool NORMS>
GPU_DEVICE void attendRow(const AttentionRowArgs& args, const RowShared& shared) {
  const RowPart part = rowPartOf(args);
  if (static_cast<int>(blockIdx.x) >= part.parts) return;
  const int headDim = args.headDim, kvWidth = args.kvHeads * headDim;
  const float* q = rowAt(args.q, part.row, args.heads * headDim) + part.firstHead * headDim;
  if constexpr (NORMS) {
    normAndStore<Cache>(args, part, q, shared);
  } else {
    for (int h = 0; h < part.heads; h++)
      for (int i = threadIdx.x; i < headDim; i += blockDim.x) shared.queries[h * MAX_HEAD_DIM + i] = q[h * headDim + i];
  }
  __syncthreads();

  int team = 1;
  while (team * 8 < headDim) team *= 2;
  const int teams = ROW_THREADS / team, teamIndex = threadIdx.x / team, column = threadIdx.x % team * 8, columns = headDim - column;
  float queries[ROW_HEADS][8], sums[ROW_HEADS][8], greatest[ROW_HEADS], totals[ROW_HEADS];
#pragma unroll
  for (int h = 0; h < ROW_HEADS; h++) {
    greatest[h] = LOWEST;
    totals[h] = 0.0f;
#pragma unroll
    for (int i = 0; i < 8; i++) {
      sums[h][i] = 0.0f;
      queries[h][i] = h < part.heads && i < columns ? static_cast<float>(shared.queries[h * MAX_HEAD_DIM + column + i]) * args.scale : 0.0f;
    }
  }
  for (int base = part.low; base < part.high; base += KEYS_AT_ONCE * teams) {
    Eight keys[KEYS_AT_ONCE], values[KEYS_AT_ONCE];
    bool isThere[KEYS_AT_ONCE];
#pragma unroll
    for (int j = 0; j < KEYS_AT_ONCE; j++) {
      const int position = base + j * teams + teamIndex, at = part.kvHead * headDim + column, slot = position % args.capacity;
      isThere[j] = position < part.high;
      keys[j] = eightOf(rowAt(static_cast<const Cache*>(args.k), slot, kvWidth) + at, isThere[j] ? columns : 0, headDim);
      values[j] = eightOf(rowAt(static_cast<const Cache*>(args.v), slot, kvWidth) + at, isThere[j] ? columns : 0, headDim);
    }
#pragma unroll
    for (int h = 0; h < ROW_HEADS; h++) {
      if (h >= part.heads) break;
      const float before = greatest[h];
      float scores[KEYS_AT_ONCE];
#pragma unroll
      for (int j = 0; j < KEYS_AT_ONCE; j++) {
        float dot = 0.0f;
#pragma unroll
        for (int i = 0; i < 8; i++) dot = fma(queries[h][i], keys[j].values[i], dot);
        scores[j] = teamReduce<Sum>(dot, team);
        if (isThere[j]) greatest[h] = most(greatest[h], scores[j]);
      }
      const float correction = expFor(static_cast<const Cache*>(nullptr), before - greatest[h]);
      totals[h] *= correction;
#pragma unroll
      for (int i = 0; i < 8; i++) sums[h][i] *= correction;
#pragma unroll
      for (int j = 0; j < KEYS_AT_ONCE; j++) {
        const float weight = isThere[j] ? expFor(static_cast<const Cache*>(nullptr), scores[j] - greatest[h]) : 0.0f;
        totals[h] += weight;
#pragma unroll
        for (int i = 0; i < 8; i++) sums[h][i] = fma(weight, values[j].values[i], sums[h][i]);
      }
    }
  }

#pragma unroll
  for (int h = 0; h < ROW_HEADS; h++) {
    if (h >= part.heads) break;
#pragma unroll
    for (int i = 0; i < 8; i++) shared.sums[h * SUMS + threadIdx.x * 8 + i] = sums[h][i];
    if (column == 0) {
      shared.maxima[h * ROW_THREADS + teamIndex] = greatest[h];
      shared.totals[h * ROW_THREADS + teamIndex] = totals[h];
    }
  }
  __syncthreads();
  joinTeams(args, part, shared, teams, team);
  if (part.parts > 1) {
    if (!isLastBlock(args.tickets + part.row * gridDim.y + blockIdx.y, part.parts, shared.tickets)) return;
    joinParts(args, part, shared);
  }
  storeHeads(args, part, shared);
}

#define ATTENTION_ROW_KERNEL(name, Cache, NORMS)                     \
  GPU_KERNEL_OCCUPANCY(name, AttentionRowArgs, ROW_THREADS, 1) {     \
    GPU_SHARED(float, queries, ROW_HEADS* MAX_HEAD_DIM);             \
    GPU_SHARED(float, sums, ROW_HEADS* SUMS);                        \
    GPU_SHARED(float, maxima, ROW_HEADS* ROW_THREADS);               \
    GPU_SHARED(float, totals, ROW_HEADS* ROW_THREADS);               \
    GPU_SHARED(int, tickets, 1);                                     \
    attendRow<Cache, NORMS>(args, {queries, sums, maxima, totals, tickets}); \
  }
ATTENTION_ROW_KERNEL(attention_row_f32, float, false)
ATTENTION_ROW_KERNEL(attention_row_f16, unsigned short, false)
ATTENTION_ROW_KERNEL(norm_attention_row_f32, float, true)
ATTENTION_ROW_KERNEL(norm_attention_row_f16, unsigned short, true)
