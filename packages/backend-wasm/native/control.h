// What the threads of one backend share: the job, and the barrier.
#pragma once
#include "wasm.h"

enum JobKind { JOB_RUN = 1, JOB_REPACK = 2 };

// At a fixed place in memory; the host writes it before it raises `sequence`. Words, in the order of src/control.ts.
typedef struct {
  int32_t sequence;     // raised by the host: a new job is there
  int32_t arrived;      // threads in the barrier
  int32_t generation;   // barriers passed
  int32_t sleepers;     // threads parked in the barrier
  int32_t threads;
  int32_t abort;        // raised by the host at any time
  int32_t aborted;      // the threads' common decision about it: 0, or 1 + the place in the tape of the section that does not run
  int32_t kind;         // JobKind
  // JOB_RUN
  int32_t tape;         // address of i32 words
  int32_t begin, end;   // words [begin, end)
  int32_t rows, taken, position, adjusted;
  int32_t dot;          // DotKind
  // JOB_REPACK: rows [row, row + rows) of a matrix, from `source` in encoding matrix_type
  int32_t matrix_type, matrix_layout, matrix_rows, matrix_width, matrix_data;
  int32_t row, source, source_row_bytes;
} Control;

void barrier(Control *c);
