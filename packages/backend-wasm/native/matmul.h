// x · weightᵀ for a few tiles of a weight.
#pragma once
#include "matrix.h"

// Of a block's quants: their sum, the sum of the first 16, and what the negative ones add up to without their sign; one unused.
#define SUMS 4

// Activations [rows, width]. Exact numerics: `values` alone. Fast: quantised in blocks of 32 columns, d = max|x| / 127.
typedef struct {
  int32_t rows;
  int32_t width;
  const float *values;      // f32 [rows, width]
  const int8_t *quants;     // i8 [rows, width], −127 … 127
  const int16_t *quants16;  // the same as i16, for products that widen
  const float *scales;      // f32 [rows, width / 32]
  const int32_t *sums;      // i32 [rows, width / 32, SUMS]
} Activations;

// Which instruction does the 8-bit products. Chosen by the host's start-up probe; all give the same integers.
enum DotKind {
  DOT_WIDEN,     // i16 products (SIMD128): any machine
  DOT_PAIRS,     // i16x8.relaxed_dot_i8x16_i7x16_s, sums kept in i16 while they fit: x86 without VNNI
  DOT_QUADS,     // i32x4.relaxed_dot_i8x16_i7x16_add_s: VNNI, ARM dot product
};

// Rows [begin, end): f32 → quants, quants16 (either may be null), scales, sums.
void quantize_rows(const float *x, int width, int begin, int end, int8_t *quants, int16_t *quants16, float *scales, int32_t *sums);

// acc f32 [x->rows of this call][TILE_ROWS] = x rows [row, row + rows) · rows of tile `tile`. rows ≤ MATMUL_ROWS.
// A row's result must not depend on how many rows are computed with it.
// For row-major layouts a tile is 8 rows too (fewer at the end: their places are left undefined).
#define MATMUL_ROWS 8
void matmul_tile_exact(const Matrix *w, int tile, const Activations *x, int row, int rows, float *acc);
void matmul_tile_fast(const Matrix *w, int tile, const Activations *x, int row, int rows, float *acc, int dot);
// Does the fast path of this encoding use quants (1), quants16 (2), or f32 values only (0)?
int matmul_operand(int type, int dot);
