// A register block of f32 products: up to 4 rows of x and 8 columns of a panel.
#pragma once
#include "tile.h"
#include "vector-math.h"

// sums f32 [rows][8] = Σ x[r · row_stride + c · column_stride] · panel[c] over columns c = first, first + step, … of panel f32 [columns][8].
INLINE void dot32(int rows, const float *x, int row_stride, int column_stride, const float *panel, int columns, int first, int step, Rows *sums) {
  Rows sum[4] = {};
  x += (size_t)first * column_stride;
  panel += first * TILE_ROWS;
  for (int c = first; c < columns; c += step, x += step * column_stride, panel += step * TILE_ROWS) {
    __asm__("" : "+r"(x), "+r"(panel));  // as in matmul-int16.c
    const Rows w = load_rows(panel);
    for (int r = 0; r < rows; r++) {
      const v128_t value = wasm_v128_load32_splat(x + (size_t)r * row_stride);
      sum[r] = in_order((Rows){madd4(w.low, value, sum[r].low), madd4(w.high, value, sum[r].high)});
    }
  }
  for (int r = 0; r < rows; r++) sums[r] = sum[r];
}
