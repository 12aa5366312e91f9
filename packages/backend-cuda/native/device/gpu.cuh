// What kernels are written with: the device's own instructions, or their emulation on the host. Kernels include this and each other, nothing else.
#pragma once
#ifdef FACET_EMULATED
#include "emulated.cuh"
#define GPU_KERNEL_OCCUPANCY(name, Args, maxThreads, blocks) GPU_KERNEL_BOUNDS(name, Args, maxThreads)
#else
#include "nvptx.cuh"
#endif
#include "math.cuh"
