// f32 activations: a block of a tile is dequantised to a panel f32 [columns, TILE_ROWS], which all rows then use.
#include "matmul.h"
#include "panel.h"
#include "vector-math.h"

INLINE Rows multiply_column(const float *panel, const float *x, Rows sum) {
  v128_t splat = wasm_v128_load32_splat(x);
  Rows w = load_rows(panel);
  return (Rows){madd4(w.low, splat, sum.low), madd4(w.high, splat, sum.high)};
}

// acc f32 [rows, TILE_ROWS] += x [rows, columns] · panel. Even and odd columns have their own sums: shorter chains of additions.
INLINE void multiply_panel(const float *panel, int columns, const float *x, int stride, int rows, float *acc) {
  Rows even[2] = {}, odd[2] = {};
  int c = 0;
  for (; c + 2 <= columns; c += 2) {
    for (int r = 0; r < rows; r++) even[r] = multiply_column(panel + c * TILE_ROWS, x + r * stride + c, even[r]);
    for (int r = 0; r < rows; r++) odd[r] = multiply_column(panel + (c + 1) * TILE_ROWS, x + r * stride + c + 1, odd[r]);
  }
  if (c < columns) for (int r = 0; r < rows; r++) even[r] = multiply_column(panel + c * TILE_ROWS, x + r * stride + c, even[r]);
  for (int r = 0; r < rows; r++, acc += TILE_ROWS) {
    wasm_v128_store(acc, wasm_f32x4_add(wasm_v128_load(acc), wasm_f32x4_add(even[r].low, odd[r].low)));
    wasm_v128_store(acc + 4, wasm_f32x4_add(wasm_v128_load(acc + 4), wasm_f32x4_add(even[r].high, odd[r].high)));
  }
}

static void multiply_rows(const float *panel, int columns, const float *x, int stride, int rows, float *acc) {
  int r = 0;
  for (; r + 2 <= rows; r += 2) multiply_panel(panel, columns, x + r * stride, stride, 2, acc + r * TILE_ROWS);
  if (r < rows) multiply_panel(panel, columns, x + r * stride, stride, 1, acc + r * TILE_ROWS);
}

INLINE void quantised_tile(Format f, const uint8_t *block, const float *x, int width, int rows, float *acc) {
  alignas(16) float panel[BLOCK * TILE_ROWS];
  for (int c = 0; c < width; c += BLOCK, block += block_bytes(f)) {
    block_panel(f, block, panel);
    multiply_rows(panel, BLOCK, x + c, width, rows, acc);
  }
}

INLINE void dense_tile(int layout, const Matrix *w, int tile, const float *x, int rows, float *acc) {
  alignas(16) float panel[BLOCK * TILE_ROWS];
  DenseTile source = dense_tile_rows(w, tile);
  for (int c = 0; c < w->width; c += BLOCK) {
    int columns = min_int(BLOCK, w->width - c);
    dense_panel(layout, &source, c, columns, panel);
    multiply_rows(panel, columns, x + c, w->width, rows, acc);
  }
}

void matmul_tile_exact(const Matrix *w, int tile, const Activations *activations, int row, int rows, float *acc) {
  int layout = matrix_layout(w->type), width = w->width;
  const float *x = activations->values + (size_t)row * width;
  const uint8_t *block = w->data + matrix_bytes(w->type, tile * TILE_ROWS, width);
  __builtin_memset(acc, 0, (size_t)rows * TILE_ROWS * sizeof(float));
  switch (layout) {
    case MATRIX_F32: return dense_tile(MATRIX_F32, w, tile, x, rows, acc);
    case MATRIX_F16: return dense_tile(MATRIX_F16, w, tile, x, rows, acc);
    case MATRIX_BF16: return dense_tile(MATRIX_BF16, w, tile, x, rows, acc);
    case MATRIX_Q8: return quantised_tile(formats[MATRIX_Q8], block, x, width, rows, acc);
    case MATRIX_U5: return quantised_tile(formats[MATRIX_U5], block, x, width, rows, acc);
    case MATRIX_U4: return quantised_tile(formats[MATRIX_U4], block, x, width, rows, acc);
    case MATRIX_U4M: return quantised_tile(formats[MATRIX_U4M], block, x, width, rows, acc);
    case MATRIX_U5M: return quantised_tile(formats[MATRIX_U5M], block, x, width, rows, acc);
    case MATRIX_U6: return quantised_tile(formats[MATRIX_U6], block, x, width, rows, acc);
  }
}
