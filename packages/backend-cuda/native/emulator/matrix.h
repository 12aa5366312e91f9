// The tensor cores' products of small matrices, in the fragment layouts of the PTX instructions.
#pragma once

#include "multiprocessor.h"

/** d[16, 8] += a[16, 16] · b[16, 8]: f16 inputs, f32 sums (mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32). */
void mmaF16(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2], emulator::Place place = emulator::Place::here());
/** d[16, 8] += a[16, 32] · b[32, 8]: signed bytes, wrapping s32 sums (mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32). */
void mmaS8(int (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2], emulator::Place place = emulator::Place::here());
