// linear and gatedLinear: tiles of weight rows over the threads, activation rows in blocks.
#include "steps.h"
#include "vector-math.h"

// words: width, x, 8-bit quants, scales, sums, 16-bit quants, scales, sums (ACTIVATION_WORDS of them)
#define ACTIVATION_WORDS 8
static Activations activations(Words words, int rows) {
  return (Activations){
    rows, words[0], at(words[1]),
    {words[2] ? (int8_t *)at(words[2]) : 0, at(words[3]), (int32_t *)at(words[4])},
    {words[5] ? (int16_t *)at(words[5]) : 0, at(words[6]), (int32_t *)at(words[7])},
  };
}

// words: rows, activations
void step_quantize(const Worker *w, Words words) {
  int begin, end;
  share(count_of(w->control, words[0]), w->thread, w->threads, &begin, &end);
  const Activations x = activations(words + 1, 0);
  quantize_rows(x.values, x.width, begin, end, x.q8, x.q16);
}

static void multiply(const Matrix *m, int tile, const Activations *x, int row, int rows, float *acc, int fast, int dot) {
  if (fast) matmul_tile_fast(m, tile, x, row, rows, acc, dot);
  else matmul_tile_exact(m, tile, x, row, rows, acc);
}

// words: rows, weight (type, rows, width, data), activations, fast, out, bias, gelu, add
void step_linear(const Worker *w, Words words) {
  const int rows = count_of(w->control, words[0]);
  const Matrix m = {words[1], words[2], words[3], (const uint8_t *)at(words[4])};
  const Activations x = activations(words + 5, rows);
  Words rest = words + 5 + ACTIVATION_WORDS;
  const int fast = rest[0], gelu = rest[3], dot = w->control->dot;
  float *out = at(rest[1]);
  const float *bias = rest[2] ? at(rest[2]) : 0, *add = rest[4] ? at(rest[4]) : 0;
  int begin, end;
  share((m.rows + TILE_ROWS - 1) / TILE_ROWS, w->thread, w->threads, &begin, &end);
  for (int tile = begin; tile < end; tile++) {
    const int column = tile * TILE_ROWS, columns = min_int(TILE_ROWS, m.rows - column);
    for (int row = 0; row < rows; row += MATMUL_ROWS) {
      const int count = min_int(MATMUL_ROWS, rows - row);
      _Alignas(16) float acc[MATMUL_ROWS * TILE_ROWS];
      multiply(&m, tile, &x, row, count, acc, fast, dot);
      for (int r = 0; r < count; r++) {
        const size_t place = (size_t)(row + r) * m.rows + column;
        for (int i = 0; i < columns; i++) {
          float value = acc[r * TILE_ROWS + i];
          if (bias) value += bias[column + i];
          if (gelu) value = gelu1(value);
          if (add) value += add[place + i];
          out[place + i] = value;
        }
      }
    }
  }
}

// words: rows, gate (type, rows, width, data), up (the same), activations, fast of gate, fast of up, out
void step_gated_linear(const Worker *w, Words words) {
  const int rows = count_of(w->control, words[0]);
  const Matrix gate = {words[1], words[2], words[3], (const uint8_t *)at(words[4])};
  const Matrix up = {words[5], words[6], words[7], (const uint8_t *)at(words[8])};
  const Activations x = activations(words + 9, rows);
  Words rest = words + 9 + ACTIVATION_WORDS;
  float *out = at(rest[2]);
  const int dot = w->control->dot;
  int begin, end;
  share((gate.rows + TILE_ROWS - 1) / TILE_ROWS, w->thread, w->threads, &begin, &end);
  for (int tile = begin; tile < end; tile++) {
    const int column = tile * TILE_ROWS, columns = min_int(TILE_ROWS, gate.rows - column);
    for (int row = 0; row < rows; row += MATMUL_ROWS) {
      const int count = min_int(MATMUL_ROWS, rows - row);
      _Alignas(16) float g[MATMUL_ROWS * TILE_ROWS], u[MATMUL_ROWS * TILE_ROWS];
      multiply(&gate, tile, &x, row, count, g, rest[0], dot);
      multiply(&up, tile, &x, row, count, u, rest[1], dot);
      for (int r = 0; r < count; r++) {
        float *place = out + (size_t)(row + r) * gate.rows + column;
        const float *gr = g + r * TILE_ROWS, *ur = u + r * TILE_ROWS;
        if (columns == TILE_ROWS) {
          store4(place, wasm_f32x4_mul(gelu4(load4(gr)), load4(ur)));
          store4(place + 4, wasm_f32x4_mul(gelu4(load4(gr + 4)), load4(ur + 4)));
        } else {
          for (int i = 0; i < columns; i++) place[i] = gelu1(gr[i]) * ur[i];
        }
      }
    }
  }
}
