// Rows of dense buffers, and how many there are of them.
#pragma once
#include "../device/gpu.cuh"

// `run`: rows, position, taken, adjusted, as the device keeps them. `count`: a constant, or which of them it is.
enum RowCount { ROWS_OF_RUN = -1, TAKEN_OF_RUN = -2 };
GPU_DEVICE int rowsOf(const int* run, int count) { return count == ROWS_OF_RUN ? run[0] : count == TAKEN_OF_RUN ? run[2] : count; }
GPU_DEVICE int positionOf(const int* run) { return run[1]; }
GPU_DEVICE int adjustedOf(const int* run) { return run[3]; }

// Large buffers have more than 2^31 elements.
template <typename T>
GPU_DEVICE T* rowAt(T* buffer, int row, int width) { return buffer + static_cast<long long>(row) * width; }
