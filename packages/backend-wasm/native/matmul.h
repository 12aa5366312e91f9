// x · weightᵀ for a few tiles of a weight.
#pragma once
#include "matrix.h"

// Of a block's quants: their sum, and the sum of the first 16.
#define SUMS 2

// Activations of the fast numerics, in blocks of 32 columns. Both forms lie as [rows, width], [rows, width / 32], [rows, width / 32, SUMS].
typedef struct {
  int8_t *quants;  // −127 … 127: d = max|x| / 127
  float *scales;
  int32_t *sums;
} Quants8;

typedef struct {
  int16_t *quants;  // −32767 … 32767: d = max|x| / 32767, which is as good as exact
  float *scales;
  int32_t *sums;
} Quants16;

// Activations [rows, width]. Exact numerics: `values` alone.
typedef struct {
  int32_t rows;
  int32_t width;
  const float *values;  // f32 [rows, width]
  Quants8 q8;
  Quants16 q16;
  uint8_t *packs;  // int16.h: packs of PACK_ROWS rows
} Activations;

// Which instruction does the products. Chosen by the host's start-up probe; PAIRS and QUADS give the same integers.
enum DotKind {
  DOT_WIDEN,     // i16 products (SIMD128), of 16-bit activations: any machine
  DOT_PAIRS,     // i16x8.relaxed_dot_i8x16_i7x16_s, sums kept in i16 while they fit: x86 without VNNI
  DOT_QUADS,     // i32x4.relaxed_dot_i8x16_i7x16_add_s: VNNI, ARM dot product
};

// Rows [begin, end) of the values into those forms that have a place.
void quantize_rows(const Activations *x, int begin, int end);

// acc f32 [rows][TILE_ROWS] = x rows [row, row + rows) · rows of tile `tile`. rows ≤ MATMUL_ROWS.
// A row's result must not depend on how many rows are computed with it.
// For row-major layouts a tile is 8 rows too (fewer at the end: their places are left undefined).
#define MATMUL_ROWS 64
void matmul_tile_exact(const Matrix *w, int tile, const Activations *x, int row, int rows, float *acc);
void matmul_tile_fast(const Matrix *w, int tile, const Activations *x, int row, int rows, float *acc, int dot);
// MATRIX_I16.
void matmul_tile_int16(const Matrix *w, int tile, const Activations *x, int row, int rows, float *acc);
// How many rows at a time: their activations should stay in the second-level cache while all tiles pass.
INLINE int row_block(int width) { return width > 2048 ? MATMUL_ROWS / 2 : MATMUL_ROWS; }

// Does the fast path of this layout use f32 values only (0), q8 (1), q16 (2) or packs (3)? Q8_0 always takes q16: it costs next to nothing
// there, and the output matrix, which Q8_0 files and small models keep in Q8_0, is where rounding shows most.
enum Operand { OPERAND_VALUES, OPERAND_Q8, OPERAND_Q16, OPERAND_PACKS };
int matmul_operand(int layout, int dot);
