// Matrix times matrix in f32: 64 outputs of 64 rows a block, a group of columns at a time through shared memory.
#include "dot.cuh"
#include "finish.cuh"

constexpr int TILE = 64;
constexpr int TILE_THREADS = 256;
// From a column of a tile to the next: fours stay aligned, and columns begin in different banks.
constexpr int TILE_STRIDE = TILE + 4;

struct TileArgs {
  const int* run;
  const float* x;       // [rows, width]
  Planes weight;        // [outWidth, width]
  float* out;           // [rows, outWidth]
  const float* bias;    // [outWidth], or none
  const float* factor;  // [rows, outWidth] that the activated value is multiplied with, or none
  const float* add;     // [rows, addStride], or none; may be out
  int rows, width, outWidth, type, isGelu, addStride;
};

GPU_DEVICE float4 fourOfType(const Planes& planes, int type, int row, int groups, int group, int i) {
  float4 four = {0.0f, 0.0f, 0.0f, 0.0f};
  switch (type) {
    FOR_PLAIN_ENCODINGS(four = fourOf<TYPE>(rowOf<TYPE>(planes, row, groups), group, i))
    FOR_BLOCK_ENCODINGS(four = fourOf<TYPE>(rowOf<TYPE>(planes, row, groups), group, i))
  }
  return four;
}

// Columns 4i … of a line of the tile. `tile`: [GROUP, TILE_STRIDE], the lines are the outputs or rows.
GPU_DEVICE void storeColumns(Shared<float> tile, int line, int i, float4 four) {
  tile[(4 * i + 0) * TILE_STRIDE + line] = four.x;
  tile[(4 * i + 1) * TILE_STRIDE + line] = four.y;
  tile[(4 * i + 2) * TILE_STRIDE + line] = four.z;
  tile[(4 * i + 3) * TILE_STRIDE + line] = four.w;
}

GPU_KERNEL_BOUNDS(linear_tile, TileArgs, TILE_THREADS) {
  GPU_SHARED(float, xTile, GROUP * TILE_STRIDE);
  GPU_SHARED(float, wTile, GROUP * TILE_STRIDE);
  const int rows = rowsOf(args.run, args.rows), groups = ceilDiv(args.width, GROUP);
  const int row0 = blockIdx.y * TILE, output0 = blockIdx.x * TILE;
  // What the thread loads: fours 2j and 2j + 1 of a line. What it computes: rows 4r …, outputs 4o ….
  const int line = threadIdx.x / 4, j = threadIdx.x % 4, r = threadIdx.x / 16, o = threadIdx.x % 16;
  const int xRow = least(row0 + line, rows - 1), output = least(output0 + line, args.outWidth - 1);
  const FloatRow x = {rowAt(args.x, xRow, args.width), args.width};
  float sums[4][4] = {};
  for (int group = 0; group < groups; group++) {
    __syncthreads();
#pragma unroll
    for (int i = 2 * j; i < 2 * j + 2; i++) {
      storeColumns(xTile, line, i, fourOfRow(x, group * GROUP + 4 * i));
      storeColumns(wTile, line, i, fourOfType(args.weight, args.type, output, groups, group, i));
    }
    __syncthreads();
    for (int column = 0; column < GROUP; column++) {
      const float4 xs = loadShared<float4>(xTile, column * TILE_STRIDE + 4 * r), ws = loadShared<float4>(wTile, column * TILE_STRIDE + 4 * o);
      const float a[4] = {xs.x, xs.y, xs.z, xs.w}, b[4] = {ws.x, ws.y, ws.z, ws.w};
#pragma unroll
      for (int i = 0; i < 4; i++)
#pragma unroll
        for (int k = 0; k < 4; k++) sums[i][k] = fma(a[i], b[k], sums[i][k]);
    }
  }
#pragma unroll
  for (int i = 0; i < 4; i++)
#pragma unroll
    for (int k = 0; k < 4; k++) {
      const int row = row0 + 4 * r + i, at = output0 + 4 * o + k;
      if (row >= rows || at >= args.outWidth) continue;
      rowAt(args.out, row, args.outWidth)[at] = finishSum(args, row, at, args.outWidth, sums[i][k]);
    }
}
