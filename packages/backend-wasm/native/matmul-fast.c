// Quantised activations: exact integer sums of a block, times both scales, added up in f32 in the order of the blocks.
#include "matmul.h"
#include "dot.h"

// Rows of activations that meet a block while it is in registers.
#define BATCH 8

// Of one row of activations, from some block on.
typedef struct {
  const char *quants;  // i16 [width] for DOT_WIDEN, otherwise i8 [width]
  const float *scales;
  const int32_t *sums;
} Quantised;

INLINE Rows to_f32(Rows sum) { return (Rows){wasm_f32x4_convert_i32x4(sum.low), wasm_f32x4_convert_i32x4(sum.high)}; }
INLINE Rows add_f32(Rows a, Rows b) { return (Rows){wasm_f32x4_add(a.low, b.low), wasm_f32x4_add(a.high, b.high)}; }
INLINE Rows mul_f32(Rows a, Rows b) { return (Rows){wasm_f32x4_mul(a.low, b.low), wasm_f32x4_mul(a.high, b.high)}; }
INLINE Rows add_i32(Rows a, Rows b) { return (Rows){wasm_i32x4_add(a.low, b.low), wasm_i32x4_add(a.high, b.high)}; }
INLINE Rows splat(v128_t v) { return (Rows){v, v}; }

// Σ (q − zero) · x from Σ q · x and Σ x.
INLINE Rows less_zero(Format f, Rows sum, v128_t x_sum) {
  if (f.zero == 0) return sum;
  v128_t zero = wasm_i32x4_mul(x_sum, wasm_i32x4_splat(f.zero));
  return (Rows){wasm_i32x4_sub(sum.low, zero), wasm_i32x4_sub(sum.high, zero)};
}

// The block's part of the product, from the i32 sums of its two halves.
INLINE Rows scale_block(Format f, const Header *w, Rows first, Rows second, const float *scale, const int32_t *sums) {
  v128_t whole = wasm_v128_load32_splat(sums);
  Rows value;
  if (f.header == HEADER_HALVES) {
    v128_t start = wasm_v128_load32_splat(sums + 1);
    Rows a = mul_f32(to_f32(less_zero(f, first, start)), w->first);
    Rows b = mul_f32(to_f32(less_zero(f, second, wasm_i32x4_sub(whole, start))), w->second);
    value = add_f32(a, b);
  } else {
    Rows sum = less_zero(f, add_i32(first, second), whole);
    value = mul_f32(to_f32(sum), w->first);
  }
  if (f.header == HEADER_OFFSET) value = add_f32(value, mul_f32(w->second, splat(wasm_f32x4_convert_i32x4(whole))));
  return mul_f32(value, splat(wasm_v128_load32_splat(scale)));
}

INLINE int value_bytes(int dot) { return dot == DOT_WIDEN ? 2 : 1; }

// i32 sums of half a block.
INLINE Rows dot_half(Format f, int dot, const uint8_t *quants, const char *x, int half, v128_t ones) {
  int chunks = 4 / chunk_groups(dot), step = chunk_groups(dot) * 4 * value_bytes(dot);
  Rows sum = {};
  for (int i = 0; i < chunks; i++) {
    Chunk chunk = load_chunk(f, dot, quants, half * chunks + i);
    sum = add_i32(sum, dot_chunk(f, dot, &chunk, x + (half * chunks + i) * step, ones));
  }
  return sum;
}

// One row of activations.
INLINE void multiply_row(Format f, int dot, const uint8_t *block, Quantised x, int blocks, float *acc) {
  HalfConstants half = half_constants();
  v128_t ones = i16_ones();
  Rows sum = {};
  for (int b = 0; b < blocks; b++, block += block_bytes(f), x.quants += BLOCK * value_bytes(dot)) {
    const uint8_t *quants = block + header_bytes(f);
    Rows first = dot_half(f, dot, quants, x.quants, 0, ones);
    Rows second = dot_half(f, dot, quants, x.quants, 1, ones);
    Header header = load_header(f, block, half);
    sum = add_f32(sum, scale_block(f, &header, first, second, x.scales + b, x.sums + SUMS * b));
  }
  wasm_v128_store(acc, sum.low);
  wasm_v128_store(acc + 4, sum.high);
}

// sums i32 [rows, 2 halves, TILE_ROWS] (+)= chunk `index` of the block · x.
INLINE void dot_rows(Format f, int dot, const uint8_t *quants, int index, const char *x, int width, int rows, Rows *sums, v128_t ones) {
  int chunks = 8 / chunk_groups(dot), per_half = chunks / 2;
  Chunk chunk = load_chunk(f, dot, quants, index);
  x += BLOCK / chunks * index * value_bytes(dot);
  sums += index / per_half;
  for (int r = 0; r < rows; r++, x += width * value_bytes(dot), sums += 2) {
    Rows sum = dot_chunk(f, dot, &chunk, x, ones);
    *sums = index % per_half == 0 ? sum : add_i32(*sums, sum);
  }
}

// Several rows of activations: every register of weights meets all of them.
INLINE void multiply_rows(Format f, int dot, const uint8_t *block, Quantised x, int blocks, int rows, float *acc) {
  Rows sums[BATCH * 2];
  HalfConstants half = half_constants();
  v128_t ones = i16_ones();
  int width = blocks * BLOCK;
  __builtin_memset(acc, 0, (size_t)rows * TILE_ROWS * sizeof(float));
  for (int b = 0; b < blocks; b++, block += block_bytes(f), x.quants += BLOCK * value_bytes(dot)) {
    for (int i = 0; i < 8 / chunk_groups(dot); i++) dot_rows(f, dot, block + header_bytes(f), i, x.quants, width, rows, sums, ones);
    Header header = load_header(f, block, half);
    const float *scale = x.scales + b;
    const int32_t *x_sums = x.sums + SUMS * b;
    Rows *to = (Rows *)acc;
    for (int r = 0; r < rows; r++, scale += blocks, x_sums += SUMS * blocks, to++) {
      *to = add_f32(*to, scale_block(f, &header, sums[2 * r], sums[2 * r + 1], scale, x_sums));
    }
  }
}

INLINE void multiply(Format f, int dot, const Matrix *w, int tile, const Activations *x, int row, int rows, float *acc) {
  int blocks = w->width / BLOCK;
  size_t from = (size_t)row * w->width, from_block = (size_t)row * blocks;
  Quantised rows_of_x = dot == DOT_WIDEN
    ? (Quantised){(const char *)(x->q16.quants + from), x->q16.scales + from_block, x->q16.sums + from_block * SUMS}
    : (Quantised){(const char *)(x->q8.quants + from), x->q8.scales + from_block, x->q8.sums + from_block * SUMS};
  const uint8_t *block = w->data + (size_t)tile * blocks * block_bytes(f);
  if (rows == 1) return multiply_row(f, dot, block, rows_of_x, blocks, acc);
  for (int r = 0; r < rows; r += BATCH, acc += BATCH * TILE_ROWS) {
    multiply_rows(f, dot, block, rows_of_x, blocks, min_int(BATCH, rows - r), acc);
    rows_of_x.quants += (size_t)BATCH * w->width * value_bytes(dot);
    rows_of_x.scales += BATCH * blocks;
    rows_of_x.sums += BATCH * blocks * SUMS;
  }
}

#define KERNEL(layout, dot) \
  static void multiply_##layout##_##dot(const Matrix *w, int tile, const Activations *x, int row, int rows, float *acc) { \
    multiply(formats[MATRIX_##layout], DOT_##dot, w, tile, x, row, rows, acc); \
  }

KERNEL(Q8, WIDEN)
KERNEL(U5, WIDEN)
KERNEL(U4, WIDEN)
KERNEL(U4M, WIDEN)
KERNEL(U5M, WIDEN)
KERNEL(U6, WIDEN)
#if RELAXED
KERNEL(U5, PAIRS)
KERNEL(U4, PAIRS)
KERNEL(U4M, PAIRS)
KERNEL(U5M, PAIRS)
KERNEL(U6, PAIRS)
KERNEL(U5, QUADS)
KERNEL(U4, QUADS)
KERNEL(U4M, QUADS)
KERNEL(U5M, QUADS)
KERNEL(U6, QUADS)
#define ALL(layout) {multiply_##layout##_WIDEN, multiply_##layout##_PAIRS, multiply_##layout##_QUADS}
#else
#define ALL(layout) {multiply_##layout##_WIDEN}
#endif

typedef void (*Kernel)(const Matrix *w, int tile, const Activations *x, int row, int rows, float *acc);

// By layout and DotKind.
static const Kernel kernels[][3] = {
  [MATRIX_Q8] = {multiply_Q8_WIDEN}, [MATRIX_U5] = ALL(U5),   [MATRIX_U4] = ALL(U4),
  [MATRIX_U4M] = ALL(U4M),           [MATRIX_U5M] = ALL(U5M), [MATRIX_U6] = ALL(U6),
};

static int dot_of(int layout, int dot) { return layout == MATRIX_Q8 ? DOT_WIDEN : usable_dot(dot); }

void matmul_tile_fast(const Matrix *w, int tile, const Activations *x, int row, int rows, float *acc, int dot) {
  if (is_quantised(w->layout)) kernels[w->layout][dot_of(w->layout, dot)](w, tile, x, row, rows, acc);
  else if (w->layout == MATRIX_I16) matmul_tile_int16(w, tile, x, row, rows, acc);
  else matmul_tile_exact(w, tile, x, row, rows, acc);
}

int matmul_operand(int layout, int dot) {
  if (layout == MATRIX_I16) return OPERAND_PACKS;
  if (!is_quantised(layout)) return OPERAND_VALUES;
  return dot_of(layout, dot) == DOT_WIDEN ? OPERAND_Q16 : OPERAND_Q8;
}
