// Matrix times matrix on tensor cores (sm_80 and later): 64 outputs of 64 or 128 rows a block, a group of columns at a time. Activations are
// halves (halves.cu), weights become halves on their way to shared memory; sums are f32.
#include "finish.cuh"
#include "reduce.cuh"
#include "weights.cuh"

#if defined(FACET_EMULATED) || __CUDA_ARCH__ >= 800

constexpr int MMA_THREADS = 128;  // four warps: two of rows by two of outputs
constexpr int MMA_OUTPUTS = 64;
// Words (of two halves) from a line of a tile to the next. A fragment's lanes read 8 lines of 4 words: so all are in different banks.
constexpr int MMA_STRIDE = GROUP / 2 + 4;

struct MmaArgs {
  const int* run;
  const unsigned* x;    // pairs of halves [rows, groups · 16]
  const float* scales;  // [rows]
  Planes weight;        // [outWidth, width]
  float* out;           // [rows, outWidth]
  const float* bias;    // [outWidth], or none
  const float* factor;  // [rows, outWidth], or none
  const float* add;     // [rows, addStride], or none; may be out
  int rows, width, outWidth, type, isGelu, addStride;
};

// Half a group of weights on its way: as it was loaded, so that the loads of a group can be under way while the one before is computed.
struct HalfGroup {
  uint4 first, second;
  unsigned high;
  float scale, min;
};

template <int TYPE>
GPU_DEVICE HalfGroup loadHalfGroup(const Planes& planes, int output, int groups, int group, int half) {
  const Row<TYPE> row = rowOf<TYPE>(planes, output, groups);
  const unsigned char* at = row.quants + group * quantBytes(TYPE);
  HalfGroup loaded = {};
  if constexpr (TYPE == F32) {
    unsigned pairs[8];
#pragma unroll
    for (int i = 0; i < 4; i++) {
      const float4 four = loadGlobal(reinterpret_cast<const float4*>(at) + half * 4 + i);
      pairs[2 * i] = packHalf2(four.x, four.y);
      pairs[2 * i + 1] = packHalf2(four.z, four.w);
    }
    loaded.first = {pairs[0], pairs[1], pairs[2], pairs[3]};
    loaded.second = {pairs[4], pairs[5], pairs[6], pairs[7]};
  } else if constexpr (isPlain(TYPE)) {
    loaded.first = loadGlobal(reinterpret_cast<const uint4*>(at) + half * 2);
    loaded.second = loadGlobal(reinterpret_cast<const uint4*>(at) + half * 2 + 1);
  } else {
    loaded.first = loadGlobal(reinterpret_cast<const uint4*>(at) + (TYPE == Q8_0 ? half : 0));
    if constexpr (highBytes(TYPE) > 0) loaded.high = loadGlobal(reinterpret_cast<const unsigned*>(row.high + group * highBytes(TYPE)) + (TYPE == Q6_K ? half : 0));
    const Scales scales = scalesOf<TYPE>(row, group);
    loaded.scale = half == 0 ? scales.low : scales.high;
    loaded.min = scales.min;
  }
  return loaded;
}

template <int TYPE>
GPU_DEVICE void storeHalfGroup(Shared<unsigned> tile, int at, const HalfGroup& loaded, int half) {
  const unsigned quants[8] = {loaded.first.x, loaded.first.y, loaded.first.z, loaded.first.w, loaded.second.x, loaded.second.y, loaded.second.z, loaded.second.w};
  unsigned pairs[8];
#pragma unroll
  for (int i = 0; i < 4; i++) {
    if constexpr (TYPE == F32 || TYPE == F16) {
      pairs[2 * i] = quants[2 * i];
      pairs[2 * i + 1] = quants[2 * i + 1];
    } else if constexpr (TYPE == BF16) {
#pragma unroll
      for (int j = 2 * i; j < 2 * i + 2; j++) pairs[j] = packHalf2(intAsFloat(static_cast<int>(quants[j] << 16)), intAsFloat(static_cast<int>(quants[j] & 0xffff0000u)));
    } else {
      const float4 four = valuesOf<TYPE>(codesOf<TYPE>(quants[i], loaded.high, half * 4 + i), loaded.scale, loaded.min);
      pairs[2 * i] = packHalf2(four.x, four.y);
      pairs[2 * i + 1] = packHalf2(four.z, four.w);
    }
  }
  storeShared(tile, at, uint4{pairs[0], pairs[1], pairs[2], pairs[3]});
  storeShared(tile, at + 4, uint4{pairs[4], pairs[5], pairs[6], pairs[7]});
}

// `xTiles`: [2, rows, MMA_STRIDE], `wTiles`: [2, MMA_OUTPUTS, MMA_STRIDE]: one of each is computed while the other is filled.
template <int ROWS>
GPU_DEVICE void mmaProduct(const MmaArgs& args, Shared<unsigned> xTiles, Shared<unsigned> wTiles) {
  constexpr int ROW_TILES = ROWS / 32, OUTPUT_TILES = MMA_OUTPUTS / 16;  // of a warp: 16 rows, 8 outputs each
  constexpr int X_TILE = ROWS * MMA_STRIDE, W_TILE = MMA_OUTPUTS * MMA_STRIDE;
  const int rows = rowsOf(args.run, args.rows), groups = ceilDiv(args.width, GROUP), words = groups * (GROUP / 2);
  const int row0 = blockIdx.x * ROWS, output0 = blockIdx.y * MMA_OUTPUTS;
  const int thread = threadIdx.x, warp = thread / WARP, lane = thread % WARP;
  // What the thread loads of the weights: half a group of an output.
  const int line = thread / 2, half = thread % 2, output = least(output0 + line, args.outWidth - 1);
  // Its place in fragments.
  const int inEight = lane / 4, inFour = lane % 4, warpRow = warp / 2 * (ROWS / 2), warpOutput = warp % 2 * (MMA_OUTPUTS / 2);

  const auto copyRows = [&](int group) {
    for (int i = thread; i < ROWS * 4; i += MMA_THREADS) {
      const int row = row0 + i / 4;
      copyAsync16(xTiles, group % 2 * X_TILE + i / 4 * MMA_STRIDE + i % 4 * 4, rowAt(args.x, least(row, rows - 1), words) + group * (GROUP / 2) + i % 4 * 4, row < rows);
    }
    copyAsyncCommit();
  };
  const auto loadWeights = [&](int group) {
    HalfGroup loaded = {};
    switch (args.type) {
      FOR_PLAIN_ENCODINGS(loaded = loadHalfGroup<TYPE>(args.weight, output, groups, group, half))
      FOR_BLOCK_ENCODINGS(loaded = loadHalfGroup<TYPE>(args.weight, output, groups, group, half))
    }
    return loaded;
  };
  const auto storeWeights = [&](int group, const HalfGroup& loaded) {
    const int at = group % 2 * W_TILE + line * MMA_STRIDE + half * 8;
    switch (args.type) {
      FOR_PLAIN_ENCODINGS(storeHalfGroup<TYPE>(wTiles, at, loaded, half))
      FOR_BLOCK_ENCODINGS(storeHalfGroup<TYPE>(wTiles, at, loaded, half))
    }
  };

  float sums[ROW_TILES][OUTPUT_TILES][4] = {};
  // A group's loads are under way while the one before is computed.
  for (int group = 0; group <= groups; group++) {
    HalfGroup loaded = {};
    if (group < groups) {
      copyRows(group);
      loaded = loadWeights(group);
    }
    if (group > 0) {
      const Shared<unsigned> x = xTiles.at((group - 1) % 2 * X_TILE + (warpRow + inEight) * MMA_STRIDE + inFour);
      const Shared<unsigned> w = wTiles.at((group - 1) % 2 * W_TILE + (warpOutput + inEight) * MMA_STRIDE + inFour);
#pragma unroll
      for (int k = 0; k < GROUP / 2; k += 8) {
        unsigned b[OUTPUT_TILES][2];
#pragma unroll
        for (int o = 0; o < OUTPUT_TILES; o++) {
          b[o][0] = w[o * 8 * MMA_STRIDE + k];
          b[o][1] = w[o * 8 * MMA_STRIDE + k + 4];
        }
#pragma unroll
        for (int r = 0; r < ROW_TILES; r++) {
          const unsigned a[4] = {x[r * 16 * MMA_STRIDE + k], x[(r * 16 + 8) * MMA_STRIDE + k], x[r * 16 * MMA_STRIDE + k + 4], x[(r * 16 + 8) * MMA_STRIDE + k + 4]};
#pragma unroll
          for (int o = 0; o < OUTPUT_TILES; o++) mmaF16(sums[r][o], a, b[o]);
        }
      }
    }
    if (group < groups) {
      storeWeights(group, loaded);
      copyAsyncWait<0>();
      __syncthreads();
    }
  }

  // Through shared memory, so that a warp stores whole lines: [16, OUT_STRIDE] of a warp at a time.
  constexpr int OUT_STRIDE = 36;
  __syncthreads();
  const Shared<unsigned> lines = xTiles.at(warp * 16 * OUT_STRIDE);
#pragma unroll
  for (int r = 0; r < ROW_TILES; r++) {
#pragma unroll
    for (int o = 0; o < OUTPUT_TILES; o++)
#pragma unroll
      for (int i = 0; i < 4; i++) lines[(i / 2 * 8 + inEight) * OUT_STRIDE + o * 8 + inFour * 2 + i % 2] = static_cast<unsigned>(floatAsInt(sums[r][o][i]));
    __syncwarp();
    const int at = output0 + warpOutput + lane;
#pragma unroll 1
    for (int i = 0; i < 16; i++) {
      const int row = row0 + warpRow + r * 16 + i;
      if (row >= rows || at >= args.outWidth) continue;
      rowAt(args.out, row, args.outWidth)[at] = finishSum(args, row, at, args.outWidth, intAsFloat(static_cast<int>(static_cast<unsigned>(lines[i * OUT_STRIDE + lane]))) * args.scales[row]);
    }
    __syncwarp();
  }
}

GPU_KERNEL_BOUNDS(linear_mma_64, MmaArgs, MMA_THREADS) {
  GPU_SHARED(unsigned, xTiles, 2 * 64 * MMA_STRIDE);
  GPU_SHARED(unsigned, wTiles, 2 * MMA_OUTPUTS * MMA_STRIDE);
  mmaProduct<64>(args, xTiles, wTiles);
}

GPU_KERNEL_BOUNDS(linear_mma_128, MmaArgs, MMA_THREADS) {
  GPU_SHARED(unsigned, xTiles, 2 * 128 * MMA_STRIDE);
  GPU_SHARED(unsigned, wTiles, 2 * MMA_OUTPUTS * MMA_STRIDE);
  mmaProduct<128>(args, xTiles, wTiles);
}

#endif
