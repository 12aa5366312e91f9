// The device's names on the host: what gpu.cuh includes with -DFACET_EMULATED. Everything is in native/emulator.
#pragma once

#include "../emulator/global.h"
#include "../emulator/kernel.h"
#include "../emulator/matrix.h"
#include "../emulator/numbers.h"
#include "../emulator/shared.h"
#include "../emulator/vectors.h"
#include "../emulator/warp.h"

// Kernels for newer devices are there too; which ones run, the emulated device's capability decides.
#define __CUDA_ARCH__ 800
