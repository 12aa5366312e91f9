// Attention of many rows on tensor cores (sm_80 and later), with softmax as it goes: a block takes 64 rows of one head through all keys that any of
// them sees, some at a time. Queries, keys, weights and values are halves; scores and sums f32.
#include "cache.cuh"
#include "reduce.cuh"
#include "rows.cuh"

#if defined(FACET_EMULATED) || __CUDA_ARCH__ >= 800

constexpr int FLASH_ROWS = 64;
// Warps that share 16 rows, each with a part of the columns: one has not registers enough for a wide head.
constexpr int flashParts(int dim) { return dim > 128 ? 2 : 1; }
constexpr int flashThreads(int dim) { return FLASH_ROWS / 16 * flashParts(dim) * WARP; }
// Of a tile.
constexpr int flashKeys(int dim) { return dim > 128 ? 16 : 32; }
// Words (of two halves) from a line of a tile to the next. A fragment's lanes read 8 lines of 4 words: so all are in different banks.
constexpr int keyStride(int dim) { return dim / 2 + 4; }
constexpr int valueStride(int dim) { return flashKeys(dim) / 2 + 4; }

struct AttentionMmaArgs {
  const int* run;
  const float* q;          // [rows, heads · headDim]
  const void *k, *v;       // [capacity, kvHeads · headDim]
  const int *begin, *end;  // [rows]
  float* out;              // [rows, heads · headDim]
  int rows, heads, kvHeads, headDim, capacity;
  float scale;
};

// Halves have no room for more.
GPU_DEVICE float bounded(float value) { return least(most(value, -65504.0f), 65504.0f); }

// Eight neighbouring values as pairs of halves, of which `count` are there and the others zero.
GPU_DEVICE uint4 pairsOf(const float* at, int count, int width) {
  const Eight eight = eightOf(at, count, width);
  unsigned pairs[4];
#pragma unroll
  for (int i = 0; i < 4; i++) pairs[i] = packHalf2(bounded(eight.values[2 * i]), bounded(eight.values[2 * i + 1]));
  return {pairs[0], pairs[1], pairs[2], pairs[3]};
}
GPU_DEVICE uint4 pairsOf(const unsigned short* at, int count, int width) {
  if (width % 8 == 0) return count > 0 ? *reinterpret_cast<const uint4*>(at) : uint4{0, 0, 0, 0};
  unsigned pairs[4] = {};
#pragma unroll
  for (int i = 0; i < 8; i++)
    if (i < count) pairs[i / 2] |= static_cast<unsigned>(at[i]) << (16 * (i % 2));
  return {pairs[0], pairs[1], pairs[2], pairs[3]};
}

// Softmax so far of one of the two rows of which a lane has columns.
struct FlashRow {
  float greatest, total;
};

// Two neighbouring columns of a query, scaled.
GPU_DEVICE unsigned queryPair(const float* q, int column, int headDim, float scale) {
  return packHalf2(column < headDim ? bounded(q[column] * scale) : 0.0f, column + 1 < headDim ? bounded(q[column + 1] * scale) : 0.0f);
}

struct FlashShared {
  Shared<unsigned> keys;     // [flashKeys(DIM), keyStride(DIM)]
  Shared<unsigned> values;   // [DIM, valueStride(DIM)]: pairs of keys
  Shared<float> scores;      // [warps, flashKeys(DIM) / 2, WARP]: over a part of the columns
  Shared<int> bounds;        // [2, FLASH_ROWS]
};

// headDim ≤ DIM.
template <int DIM, typename Cache>
GPU_DEVICE void attendFlash(const AttentionMmaArgs& args, const FlashShared& shared) {
  constexpr int THREADS = flashThreads(DIM), PARTS = flashParts(DIM), KEYS = flashKeys(DIM), KEY_STRIDE = keyStride(DIM), VALUE_STRIDE = valueStride(DIM);
  constexpr int KEY_TILES = KEYS / 8, EIGHTS = DIM / 8, COLUMN_TILES = EIGHTS / PARTS, STEPS = DIM / 16 / PARTS;
  const auto& [keys, values, partScores, bounds] = shared;
  const int rows = rowsOf(args.run, args.rows), headDim = args.headDim, width = args.heads * headDim, kvWidth = args.kvHeads * headDim;
  const int head = blockIdx.y, kvAt = head / (args.heads / args.kvHeads) * headDim, row0 = blockIdx.x * FLASH_ROWS;
  const int thread = threadIdx.x, warp = thread / WARP, lane = thread % WARP, inEight = lane / 4, inFour = lane % 4;
  const int warpRow = warp / PARTS * 16, warpColumn = warp % PARTS * (DIM / PARTS);

  // All keys that any row of the block sees.
  if (thread < FLASH_ROWS) {
    const int row = least(row0 + thread, rows - 1);
    bounds[thread] = args.begin[row];
    bounds[FLASH_ROWS + thread] = args.end[row];
  }
  __syncthreads();
  int low = bounds[0], high = bounds[FLASH_ROWS];
#pragma unroll 1
  for (int i = 1; i < FLASH_ROWS; i++) {
    low = least(low, static_cast<int>(bounds[i]));
    high = most(high, static_cast<int>(bounds[FLASH_ROWS + i]));
  }

  FlashRow own[2];
  unsigned queries[STEPS][4];
#pragma unroll
  for (int i = 0; i < 2; i++) {
    const int row = least(row0 + warpRow + i * 8 + inEight, rows - 1);
    own[i] = {-1e30f, 0.0f};
    const float* q = rowAt(args.q, row, width) + head * headDim;
#pragma unroll
    for (int s = 0; s < STEPS; s++) {
      queries[s][i] = queryPair(q, warpColumn + s * 16 + inFour * 2, headDim, args.scale * 1.44269504f);
      queries[s][i + 2] = queryPair(q, warpColumn + s * 16 + inFour * 2 + 8, headDim, args.scale * 1.44269504f);
    }
  }

  float sums[COLUMN_TILES][4] = {};
  for (int tile = low; tile < high; tile += KEYS) {
    __syncthreads();
    for (int i = thread; i < KEYS * EIGHTS; i += THREADS) {
      const int key = i / EIGHTS, column = i % EIGHTS * 8;
      const Cache* at = rowAt(static_cast<const Cache*>(args.k), (tile + key) % args.capacity, kvWidth) + kvAt + column;
      storeShared(keys, key * KEY_STRIDE + column / 2, pairsOf(at, tile + key < high ? headDim - column : 0, headDim));
    }
    for (int i = thread; i < KEYS / 2 * EIGHTS; i += THREADS) {
      const int pair = i % (KEYS / 2), column = i / (KEYS / 2) * 8, key = tile + 2 * pair;
      const Cache* v = static_cast<const Cache*>(args.v);
      const uint4 a = pairsOf(rowAt(v, key % args.capacity, kvWidth) + kvAt + column, key < high ? headDim - column : 0, headDim);
      const uint4 b = pairsOf(rowAt(v, (key + 1) % args.capacity, kvWidth) + kvAt + column, key + 1 < high ? headDim - column : 0, headDim);
      const unsigned first[4] = {a.x, a.y, a.z, a.w}, second[4] = {b.x, b.y, b.z, b.w};
#pragma unroll
      for (int j = 0; j < 4; j++) {
        values[(column + 2 * j) * VALUE_STRIDE + pair] = (first[j] & 0xffffu) | second[j] << 16;
        values[(column + 2 * j + 1) * VALUE_STRIDE + pair] = first[j] >> 16 | (second[j] & 0xffff0000u);
      }
    }
    __syncthreads();

    float scores[KEY_TILES][4] = {};
    const Shared<unsigned> ofKeys = keys.at(inEight * KEY_STRIDE + warpColumn / 2 + inFour);
#pragma unroll
    for (int s = 0; s < STEPS; s++)
#pragma unroll
      for (int t = 0; t < KEY_TILES; t++) {
        const unsigned b[2] = {ofKeys[t * 8 * KEY_STRIDE + s * 8], ofKeys[t * 8 * KEY_STRIDE + s * 8 + 4]};
        mmaF16(scores[t], queries[s], b);
      }
    if constexpr (PARTS == 2) {
      const int at = warp * KEY_TILES * 4 * WARP + lane, other = (warp ^ 1) * KEY_TILES * 4 * WARP + lane;
#pragma unroll
      for (int t = 0; t < KEY_TILES * 4; t++) partScores[at + t * WARP] = scores[t / 4][t % 4];
      __syncthreads();
#pragma unroll
      for (int t = 0; t < KEY_TILES * 4; t++) scores[t / 4][t % 4] += partScores[other + t * WARP];
    }
#pragma unroll
    for (int i = 0; i < 2; i++) {
      FlashRow& row = own[i];
      const int begin = bounds[warpRow + i * 8 + inEight], end = bounds[FLASH_ROWS + warpRow + i * 8 + inEight];
      float greatest = row.greatest;
#pragma unroll
      for (int t = 0; t < KEY_TILES; t++)
#pragma unroll
        for (int j = 0; j < 2; j++) {
          const int position = tile + t * 8 + inFour * 2 + j;
          float& score = scores[t][2 * i + j];
          score = position >= begin && position < end ? score : LOWEST;
          greatest = most(greatest, score);
        }
      greatest = teamReduce<Maximum>(greatest, 4);
      const float correction = exp2Approx(row.greatest - greatest);
      row.greatest = greatest;
      row.total *= correction;
      if (correction < 1.0f) {
#pragma unroll
        for (int c = 0; c < COLUMN_TILES; c++) {
          sums[c][2 * i] *= correction;
          sums[c][2 * i + 1] *= correction;
        }
      }
#pragma unroll
      for (int t = 0; t < KEY_TILES; t++)
#pragma unroll
        for (int j = 0; j < 2; j++) {
          scores[t][2 * i + j] = exp2Approx(scores[t][2 * i + j] - greatest);
          row.total += scores[t][2 * i + j];
        }
    }
    const Shared<unsigned> ofValues = values.at((warpColumn + inEight) * VALUE_STRIDE + inFour);
#pragma unroll
    for (int s = 0; s < KEYS / 16; s++) {
      const unsigned weights[4] = {packHalf2(scores[2 * s][0], scores[2 * s][1]), packHalf2(scores[2 * s][2], scores[2 * s][3]), packHalf2(scores[2 * s + 1][0], scores[2 * s + 1][1]),
                                   packHalf2(scores[2 * s + 1][2], scores[2 * s + 1][3])};
#pragma unroll
      for (int c = 0; c < COLUMN_TILES; c++) {
        const unsigned b[2] = {ofValues[c * 8 * VALUE_STRIDE + s * 8], ofValues[c * 8 * VALUE_STRIDE + s * 8 + 4]};
        mmaF16(sums[c], weights, b);
      }
    }
  }

#pragma unroll
  for (int i = 0; i < 2; i++) {
    const float factor = 1.0f / most(teamReduce<Sum>(own[i].total, 4), 1e-30f);  // a row that sees nothing gets 0
    const int row = row0 + warpRow + i * 8 + inEight;
    if (row >= rows) continue;
    float* out = rowAt(args.out, row, width) + head * headDim;
#pragma unroll
    for (int c = 0; c < COLUMN_TILES; c++)
#pragma unroll
      for (int j = 0; j < 2; j++) {
        const int column = warpColumn + c * 8 + inFour * 2 + j;
        if (column < headDim) out[column] = sums[c][2 * i + j] * factor;
      }
  }
}

#define ATTENTION_MMA_KERNEL(name, DIM, Cache)                                             \
  GPU_KERNEL_OCCUPANCY(name, AttentionMmaArgs, flashThreads(DIM), 1) {                     \
    GPU_SHARED(unsigned, keys, flashKeys(DIM) * keyStride(DIM));                           \
    GPU_SHARED(unsigned, values, DIM* valueStride(DIM));                                   \
    GPU_SHARED(float, scores, flashParts(DIM) == 1 ? 1 : flashThreads(DIM) * flashKeys(DIM) / 2); \
    GPU_SHARED(int, bounds, 2 * FLASH_ROWS);                                               \
    attendFlash<DIM, Cache>(args, {keys, values, scores, bounds});                         \
  }
ATTENTION_MMA_KERNEL(attention_mma_80_f32, 80, float)
ATTENTION_MMA_KERNEL(attention_mma_80_f16, 80, unsigned short)
ATTENTION_MMA_KERNEL(attention_mma_128_f16, 128, unsigned short)
ATTENTION_MMA_KERNEL(attention_mma_256_f16, 256, unsigned short)

#endif
