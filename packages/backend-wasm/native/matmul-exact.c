// f32 activations: columns of a tile are dequantised to a panel f32 [columns, TILE_ROWS], which all rows then use.
#include "matmul.h"
#include "dot32.h"
#include "panel.h"

// Columns of a panel: whole blocks, and few enough to stay in the first-level cache.
#define PANEL 128

INLINE Rows add(Rows a, Rows b) { return (Rows){wasm_f32x4_add(a.low, b.low), wasm_f32x4_add(a.high, b.high)}; }

// Even and odd columns have sums of their own: one row alone needs more chains of additions than its 8 columns give, and a row's sums must
// not depend on its company.
NOINLINE static void dot_four(const float *x, int stride, const float *panel, int columns, Rows *sums) {
  Rows odd[4];
  dot32(4, x, stride, 1, panel, columns, 0, 2, sums);
  dot32(4, x, stride, 1, panel, columns, 1, 2, odd);
  for (int r = 0; r < 4; r++) sums[r] = add(sums[r], odd[r]);
}

INLINE Rows multiply_column(const float *panel, const float *x, Rows sum) {
  const v128_t value = wasm_v128_load32_splat(x);
  const Rows w = load_rows(panel);
  return (Rows){madd4(w.low, value, sum.low), madd4(w.high, value, sum.high)};
}

NOINLINE static void dot_one(const float *x, const float *panel, int columns, Rows *sums) {
  Rows even = {}, odd = {};
  for (int c = 0; c < columns; c++, panel += TILE_ROWS) {
    even = multiply_column(panel, x + c, even);
    if (++c == columns) break;
    panel += TILE_ROWS;
    odd = multiply_column(panel, x + c, odd);
  }
  *sums = add(even, odd);
}

// acc f32 [rows, TILE_ROWS] += x [rows, columns] · panel.
static void multiply_rows(const float *panel, int columns, const float *x, int stride, int rows, float *acc) {
  Rows *to = (Rows *)acc;
  for (int r = 0, together; r < rows; r += together) {
    Rows sums[4];
    together = r + 4 <= rows ? 4 : 1;
    if (together == 4) dot_four(x + (size_t)r * stride, stride, panel, columns, sums);
    else dot_one(x + (size_t)r * stride, panel, columns, sums);
    for (int i = 0; i < together; i++, to++) *to = add(*to, sums[i]);
  }
}

INLINE void quantised_tile(Format f, const Matrix *w, int tile, const float *x, int rows, float *acc) {
  alignas(16) float panel[PANEL * TILE_ROWS];
  const uint8_t *block = w->data + matrix_bytes(w->layout, tile * TILE_ROWS, w->width);
  for (int c = 0, columns; c < w->width; c += columns) {
    columns = min_int(PANEL, w->width - c);
    for (int from = 0; from < columns; from += BLOCK, block += block_bytes(f)) block_panel(f, block, panel + from * TILE_ROWS);
    multiply_rows(panel, columns, x + c, w->width, rows, acc);
  }
}

INLINE void dense_tile(int layout, const Matrix *w, int tile, const float *x, int rows, float *acc) {
  alignas(16) float panel[PANEL * TILE_ROWS];
  DenseTile source = dense_tile_rows(w, tile);
  for (int c = 0; c < w->width; c += PANEL) {
    int columns = min_int(PANEL, w->width - c);
    dense_panel(layout, &source, c, columns, panel);
    multiply_rows(panel, columns, x + c, w->width, rows, acc);
  }
}

void matmul_tile_exact(const Matrix *w, int tile, const Activations *activations, int row, int rows, float *acc) {
  const float *x = activations->values + (size_t)row * w->width;
  __builtin_memset(acc, 0, (size_t)rows * TILE_ROWS * sizeof(float));
  switch (w->layout) {
    case MATRIX_F32: return dense_tile(MATRIX_F32, w, tile, x, rows, acc);
    case MATRIX_F16: return dense_tile(MATRIX_F16, w, tile, x, rows, acc);
    case MATRIX_BF16: return dense_tile(MATRIX_BF16, w, tile, x, rows, acc);
    case MATRIX_Q8: return quantised_tile(formats[MATRIX_Q8], w, tile, x, rows, acc);
    case MATRIX_U5: return quantised_tile(formats[MATRIX_U5], w, tile, x, rows, acc);
    case MATRIX_U4: return quantised_tile(formats[MATRIX_U4], w, tile, x, rows, acc);
    case MATRIX_U4M: return quantised_tile(formats[MATRIX_U4M], w, tile, x, rows, acc);
    case MATRIX_U5M: return quantised_tile(formats[MATRIX_U5M], w, tile, x, rows, acc);
    case MATRIX_U6: return quantised_tile(formats[MATRIX_U6], w, tile, x, rows, acc);
  }
}
