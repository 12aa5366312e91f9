// Matrix times vector: what the kernels for few rows have in common. Up to three matrices over one input, or a gate and what it gates.
//
// A block takes some outputs of one row. Its threads work in teams of `team` lanes, a power of two, so chosen that a row's groups fill them;
// a team computes two sums at a time, which share the loads of x: neighbouring outputs, or the same output of gate and up.
#pragma once
#include "dot.cuh"
#include "finish.cuh"
#include "last-block.cuh"
#include "norm-chain.cuh"

constexpr int VECTOR_THREADS = 256;
// Outputs of a block are whole groups where they are quantised.
constexpr int MAX_BLOCK_OUTPUTS = 64;

struct VectorArgs {
  const int* run;
  const void* x;        // f32 [rows, width], or codes i8 [rows, width]
  const float2* groups;  // of codes: [rows, width / 32]
  Planes weights[3];    // each [outWidth, width]; gate and up of a gated product
  float* out[3];        // each [rows, outWidth], or none
  const float* bias;    // [outWidth], or none; of the first matrix, as the next two
  const float* factor;  // f32 [rows, outWidth] that the activated value is multiplied with, or none
  const float* add;     // [rows, addStride], or none; may be out
  CodeRow codes;        // of a gated product's outputs [rows, outWidth], or none
  // For the kernels that norm: before, by normWeight; or after, the only row when it is finished, from out[0].
  const float *normWeight, *normResidual;
  float* normOut;
  const float* nextWeight;
  float* next;
  CodeRow normCodes;
  int* ticket;          // of the blocks, 0 before and after
  int width, team, passes;
  int types[3], outWidths[3];
  int blocksBefore[2];  // of the second and third matrix; more than all where there is none
  int isGated, isGelu, addStride;
  float eps, nextEps;
};

// What a block works on. One matrix, or of a gated product both.
struct Part {
  Planes first, second;
  float* out;
  int index, type, outWidth, block;
};

// By value: a choice between places would put all of them into local memory.
template <typename T>
GPU_DEVICE T choose(int index, T first, T second, T third) { return index == 2 ? T(third) : index == 1 ? T(second) : T(first); }

GPU_DEVICE Planes planesOf(const VectorArgs& args, int index) {
  const Planes &a = args.weights[0], &b = args.weights[1], &c = args.weights[2];
  return {choose(index, a.quants, b.quants, c.quants), choose(index, a.high, b.high, c.high), choose(index, a.scales, b.scales, c.scales), choose(index, a.supers, b.supers, c.supers)};
}

GPU_DEVICE Part partOf(const VectorArgs& args) {
  const int block = blockIdx.x, index = block >= args.blocksBefore[1] ? 2 : block >= args.blocksBefore[0] ? 1 : 0;
  return {planesOf(args, index),
          planesOf(args, args.isGated ? 1 : index),
          choose(index, args.out[0], args.out[1], args.out[2]),
          index,
          choose(index, args.types[0], args.types[1], args.types[2]),
          choose(index, args.outWidths[0], args.outWidths[1], args.outWidths[2]),
          block - choose(index, 0, args.blocksBefore[0], args.blocksBefore[1])};
}

template <typename X>
GPU_DEVICE float2 sumsOf(const Part& part, const X& x, int a, int b, int groups, int lane, int team) {
  float2 sums = {0.0f, 0.0f};
  switch (part.type) {
    FOR_BLOCK_ENCODINGS(sums = dotRows<TYPE>(rowOf<TYPE>(part.first, a, groups), rowOf<TYPE>(part.second, b, groups), x, groups, lane, team))
    default:
      if constexpr (!requires { groupOfRow(x, 0); }) {
        switch (part.type) {
          FOR_PLAIN_ENCODINGS(sums = dotRows<TYPE>(rowOf<TYPE>(part.first, a, groups), rowOf<TYPE>(part.second, b, groups), x, groups, lane, team))
        }
      }
  }
  return sums;
}

GPU_DEVICE FloatRow floatRowOf(const VectorArgs& args) { return {rowAt(static_cast<const float*>(args.x), blockIdx.y, args.width), args.width}; }
GPU_DEVICE CodedRow codedRowOf(const VectorArgs& args) {
  return {rowAt(static_cast<const signed char*>(args.x), blockIdx.y, args.width), rowAt(args.groups, blockIdx.y, args.width / GROUP)};
}

// The row is blockIdx.y. `results`: [MAX_BLOCK_OUTPUTS]
template <typename X>
GPU_DEVICE void vectorProduct(const VectorArgs& args, const X& x, Shared<float> results) {
  const Part part = partOf(args);
  const int row = blockIdx.y, groups = ceilDiv(args.width, GROUP);
  const int teams = VECTOR_THREADS / args.team, teamIndex = threadIdx.x / args.team, lane = threadIdx.x % args.team;
  const int perTeam = args.isGated ? 1 : 2, perBlock = teams * perTeam * args.passes, last = part.outWidth - 1;
  for (int pass = 0; pass < args.passes; pass++) {
    const int inBlock = (pass * teams + teamIndex) * perTeam, output = part.block * perBlock + inBlock;
    const int a = least(output, last), b = least(output + perTeam - 1, last);
    const float2 sums = sumsOf(part, x, a, b, groups, lane, args.team);
    if (args.isGated) {
      const float value = gelu(sums.x) * sums.y;
      if (lane == 0 && output <= last && part.out != nullptr) rowAt(part.out, row, part.outWidth)[output] = value;
      if (lane == 0 && args.codes.codes != nullptr) results[inBlock] = value;
    } else if (lane < 2 && output + lane <= last) {
      const float sum = lane == 0 ? sums.x : sums.y;
      rowAt(part.out, row, part.outWidth)[output + lane] = part.index == 0 ? finishSum(args, row, output + lane, part.outWidth, sum) : sum;
    }
  }
  if (args.codes.codes != nullptr) {
    __syncthreads();
    // perBlock and outWidth are whole groups, and a warp has all of the block's.
    const int inBlock = 4 * threadIdx.x, output = part.block * perBlock + inBlock;
    const CodeRow to = {rowAt(args.codes.codes, row, part.outWidth), rowAt(args.codes.groups, row, part.outWidth / GROUP)};
    if (threadIdx.x < WARP) storeQuantized(to, output, inBlock < perBlock ? loadShared<float4>(results, inBlock) : float4{0.0f, 0.0f, 0.0f, 0.0f}, inBlock < perBlock && output <= last);
  }
}

// All blocks' outputs are there when the last one begins this. `tickets`: [1]
GPU_DEVICE void normsOfProduct(const VectorArgs& args, Shared<float> places, Shared<int> tickets) {
  if (!isLastBlock(args.ticket, gridDim.x, tickets)) return;
  runNormChain<true>({args.out[0], args.normWeight, args.normResidual, args.normOut, args.nextWeight, args.next, args.normCodes, args.outWidths[0], args.eps, args.nextEps}, places);
}
