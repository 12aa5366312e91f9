// Walks the tape: every thread takes its share of each step and waits at the barriers that the host put between them.
#include "attention-tiles.h"
#include "steps.h"

// The section at `at` of the tape: the threads agree whether to go on. Returns 1 to stop. The decision names its section, as thread 0 may
// have taken the next one before another thread has woken up and read this one.
static int aborts(Control *c, int thread, int at) {
  if (thread == 0 && __atomic_load_n(&c->abort, __ATOMIC_SEQ_CST)) __atomic_store_n(&c->aborted, at + 1, __ATOMIC_SEQ_CST);
  barrier(c);
  return __atomic_load_n(&c->aborted, __ATOMIC_SEQ_CST) == at + 1;
}

static void run_tape(Control *c, int thread) {
  const Worker worker = {c, thread, c->threads};
  const int32_t *tape = (const int32_t *)(uint32_t)c->tape;
  for (int at = c->begin; at < c->end;) {
    const int op = tape[at], size = tape[at + 1];
    Words words = tape + at + 2;
    switch (op) {
      case OP_BARRIER: barrier(c); break;
      case OP_SECTION: if (aborts(c, thread, at)) return; break;
      case OP_QUANTIZE: step_quantize(&worker, words); break;
      case OP_EMBED: step_embed(&worker, words); break;
      case OP_PLACE_ROWS: step_place_rows(&worker, words); break;
      case OP_RMS_NORM: step_rms_norm(&worker, words); break;
      case OP_LAYER_NORM: step_layer_norm(&worker, words); break;
      case OP_LINEAR: step_linear(&worker, words); break;
      case OP_GATED_LINEAR: step_gated_linear(&worker, words); break;
      case OP_NORM_ROPE_STORE: step_norm_rope_store(&worker, words); break;
      case OP_ATTENTION: step_attention(&worker, words); break;
      case OP_AVG_POOL: step_avg_pool(&worker, words); break;
      case OP_TAKE_ROWS: step_take_rows(&worker, words); break;
      case OP_TOP_K: step_top_k(&worker, words); break;
      default: __builtin_trap();
    }
    at += size;
  }
}

static void repack(Control *c, int thread) {
  const Matrix m = {c->matrix_layout, c->matrix_rows, c->matrix_width, (const uint8_t *)(uint32_t)c->matrix_data};
  int begin, end;
  share(c->rows, thread, c->threads, &begin, &end);
  if (end > begin) matrix_repack(&m, c->matrix_type, c->row + begin, end - begin, (const uint8_t *)(uint32_t)c->source + (size_t)begin * (uint32_t)c->source_row_bytes);
}

// One job, by all threads; the last barrier makes its results everyone's.
EXPORT(job) void job(Control *c, int thread) {
  if (c->kind == JOB_RUN) run_tape(c, thread);
  else repack(c, thread);
  barrier(c);
}

EXPORT(matrix_layout) int export_matrix_layout(int type, int fast) { return matrix_layout(type, fast); }
EXPORT(matrix_bytes) uint32_t export_matrix_bytes(int layout, int rows, int width) { return matrix_bytes(layout, rows, width); }
EXPORT(attention_bytes) uint32_t export_attention_bytes(int fast, int head_dim, int kv_heads, int capacity, int threads) {
  return attention_bytes(fast, head_dim, kv_heads, capacity, threads);
}
EXPORT(matmul_operand) int export_matmul_operand(int layout, int dot) { return matmul_operand(layout, dot); }

#if RELAXED
// What the relaxed dot does with 0x80 as its 7-bit operand tells which instruction it became: −128 (signed), 128 (unsigned), and with
// pairs past i16 whether they saturate.
EXPORT(probe_relaxed_dot) int probe_relaxed_dot(int a, int b) {
  return wasm_i32x4_extract_lane(wasm_i32x4_relaxed_dot_i8x16_i7x16_add(wasm_i8x16_splat((int8_t)a), wasm_i8x16_splat((int8_t)b), wasm_i32x4_splat(0)), 0);
}
#endif
