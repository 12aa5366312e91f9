// The steps of a plan, as the tape has them. Each function does this thread's share; pointers are resolved, widths are in values.
#pragma once
#include "control.h"
#include "matmul.h"

typedef struct {
  Control *control;
  int thread, threads;
} Worker;

// Tape operations, in the order of src/tape-ops.ts.
enum TapeOp { OP_BARRIER, OP_SECTION, OP_QUANTIZE, OP_EMBED, OP_PLACE_ROWS, OP_RMS_NORM, OP_LAYER_NORM, OP_LINEAR, OP_GATED_LINEAR, OP_NORM_ROPE_STORE, OP_ATTENTION, OP_AVG_POOL, OP_TAKE_ROWS, OP_TOP_K };

// Operand words of an operation: offsets are in units of 16 bytes (0: absent), floats are bit-cast. See each step's reader.
typedef const int32_t *Words;

INLINE float *at(int32_t word) { return (float *)((uint32_t)word << 4); }
INLINE float as_float(int32_t word) { union { int32_t i; float f; } u = {word}; return u.f; }
// A row count: rows (−1) or taken (−2) of this run, or a constant.
INLINE int count_of(const Control *c, int32_t word) { return word == -1 ? c->rows : word == -2 ? c->taken : word; }

void step_quantize(const Worker *w, Words words);
void step_embed(const Worker *w, Words words);
void step_place_rows(const Worker *w, Words words);
void step_rms_norm(const Worker *w, Words words);
void step_layer_norm(const Worker *w, Words words);
void step_linear(const Worker *w, Words words);
void step_gated_linear(const Worker *w, Words words);
void step_norm_rope_store(const Worker *w, Words words);
void step_attention(const Worker *w, Words words);
void step_avg_pool(const Worker *w, Words words);
void step_take_rows(const Worker *w, Words words);
void step_top_k(const Worker *w, Words words);
