// A weight matrix [rows, width] in the layout that the kernels read, whatever encoding the file had.
//
// Quantised layouts are tiles of 8 rows. A tile is a sequence of blocks, one for every 32 columns:
//
//   header  8 scales (and 8 offsets), one a row of the tile
//   quants  8 groups of 4 columns; a group is 32 bytes: row 0's 4 columns, row 1's, … row 7's, one byte a value.
//           Nibble layouts hold two groups in 32 bytes: group g in the low nibbles, group g + 4 in the high ones.
//
//   layout      from           value of quant q             header of a block                quants   bytes a block
//   MATRIX_Q8   Q8_0           d · q,  q in −128 … 127      8 × f16 d                        256      272
//   MATRIX_U5   Q5_0           d · (q − 16), q in 0 … 31    8 × f16 d                        256      272
//   MATRIX_U4   Q4_0           d · (q − 8),  q in 0 … 15    8 × f16 d                        128      144
//   MATRIX_U4M  Q4_1, Q4_K     d · q + m                    8 × f32 d, 8 × f32 m             128      192
//   MATRIX_U5M  Q5_1, Q5_K     d · q + m                    8 × f32 d, 8 × f32 m             256      320
//   MATRIX_U6   Q6_K           d · (q − 32), q in 0 … 63    8 × f32 d of columns 0 … 15,     256      320
//                                                           8 × f32 d of columns 16 … 31
//   MATRIX_F32, MATRIX_F16, MATRIX_BF16: row-major, as in the file; rows are not padded.
//   MATRIX_I16: F16 and BF16 where numerics are fast: a pack (int16.h) for every tile of 8 rows. (F32 stays, as tables are F32 too.)
//
// Rows are padded to whole tiles with zero scales. Everything is 16-byte aligned.
#pragma once
#include "wasm.h"

enum MatrixLayout { MATRIX_F32, MATRIX_F16, MATRIX_BF16, MATRIX_I16, MATRIX_Q8, MATRIX_U5, MATRIX_U4, MATRIX_U4M, MATRIX_U5M, MATRIX_U6 };

// The file's encodings, in the order of src/encodings.ts.
enum WeightType { TYPE_F32, TYPE_F16, TYPE_BF16, TYPE_Q4_0, TYPE_Q4_1, TYPE_Q5_0, TYPE_Q5_1, TYPE_Q8_0, TYPE_Q4_K, TYPE_Q5_K, TYPE_Q6_K };

#define TILE_ROWS 8
#define BLOCK 32

typedef struct {
  int32_t layout;  // MatrixLayout
  int32_t rows;
  int32_t width;
  const uint8_t *data;
} Matrix;

// What a file's encoding is kept in.
int matrix_layout(int type, int fast);
// Bytes of a whole matrix (what the host allocates).
uint32_t matrix_bytes(int layout, int rows, int width);
// Puts `rows` rows, as the file encodes them, into place from row `row` on. Any cut into rows gives the same bytes in the end.
void matrix_repack(const Matrix *m, int type, int row, int rows, const uint8_t *source);
// out f32 [width]: row `row`, exactly as the file's encoding defines it; MATRIX_I16 rounds.
void matrix_row(const Matrix *m, int row, float *out);
