// What tests and the kernel bench call; the backend does not.
#include "matmul.h"

EXPORT(test_matrix_bytes) uint32_t test_matrix_bytes(int layout, int rows, int width) { return matrix_bytes(layout, rows, width); }

EXPORT(test_layout) int test_layout(int type, int fast) { return matrix_layout(type, fast); }

EXPORT(test_repack) void test_repack(const Matrix *m, int type, int row, int rows, const uint8_t *source) { matrix_repack(m, type, row, rows, source); }

EXPORT(test_row) void test_row(const Matrix *m, int row, float *out) { matrix_row(m, row, out); }

EXPORT(test_operand) int test_operand(int layout, int dot) { return matmul_operand(layout, dot); }

EXPORT(test_quantize) void test_quantize(const Activations *x) { quantize_rows(x, 0, x->rows); }

// out f32 [x->rows, w->rows], `batch` (≤ MATMUL_ROWS) rows of x at a time. dot < 0: exact.
EXPORT(test_matmul) void test_matmul(const Matrix *w, const Activations *x, float *out, int batch, int dot) {
  alignas(16) float acc[MATMUL_ROWS * TILE_ROWS];
  for (int tile = 0; tile * TILE_ROWS < w->rows; tile++) {
    int count = min_int(TILE_ROWS, w->rows - tile * TILE_ROWS);
    for (int row = 0; row < x->rows; row += batch) {
      int rows = min_int(batch, x->rows - row);
      if (dot < 0) matmul_tile_exact(w, tile, x, row, rows, acc);
      else matmul_tile_fast(w, tile, x, row, rows, acc, dot);
      for (int r = 0; r < rows; r++) {
        for (int i = 0; i < count; i++) out[(size_t)(row + r) * w->rows + tile * TILE_ROWS + i] = acc[r * TILE_ROWS + i];
      }
    }
  }
}

// Reads `bytes` once: what the memory gives at most.
EXPORT(test_read) int test_read(const uint8_t *at, uint32_t bytes) {
  v128_t a = wasm_i32x4_const_splat(0), b = a, c = a, d = a;
  for (uint32_t i = 0; i < bytes; i += 64) {
    a = wasm_v128_xor(a, wasm_v128_load(at + i));
    b = wasm_v128_xor(b, wasm_v128_load(at + i + 16));
    c = wasm_v128_xor(c, wasm_v128_load(at + i + 32));
    d = wasm_v128_xor(d, wasm_v128_load(at + i + 48));
  }
  return wasm_i32x4_extract_lane(wasm_v128_xor(wasm_v128_xor(a, b), wasm_v128_xor(c, d)), 0);
}
