// What only the last of some blocks goes on with, when the others have written all that they had.
#pragma once
#include "../device/gpu.cuh"

// All threads of the block call it. `ticket`: shared by the blocks, 0 before and after. `drawn`: [1]
GPU_DEVICE bool isLastBlock(int* ticket, int blocks, Shared<int> drawn) {
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) drawn[0] = atomicAdd(ticket, 1);
  __syncthreads();
  if (drawn[0] != blocks - 1) return false;
  if (threadIdx.x == 0) *ticket = 0;
  __threadfence();
  return true;
}
