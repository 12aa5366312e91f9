// linear and gatedLinear: blocks of activation rows × tiles of weight rows, shared out to the threads.
#include "steps.h"
#include "vector-math.h"

// words: width, x, 8-bit quants, scales, sums, 16-bit quants, scales, sums, packs (ACTIVATION_WORDS of them)
#define ACTIVATION_WORDS 9
static Activations activations(Words words, int rows) {
  return (Activations){
    rows, words[0], at(words[1]),
    {words[2] ? (int8_t *)at(words[2]) : 0, at(words[3]), (int32_t *)at(words[4])},
    {words[5] ? (int16_t *)at(words[5]) : 0, at(words[6]), (int32_t *)at(words[7])},
    words[8] ? (uint8_t *)at(words[8]) : 0,
  };
}

// words: rows, activations
void step_quantize(const Worker *w, Words words) {
  int begin, end;
  share(count_of(w->control, words[0]), w->thread, w->threads, &begin, &end);
  const Activations x = activations(words + 1, 0);
  quantize_rows(&x, begin, end);
}

static void multiply(const Matrix *m, int tile, const Activations *x, int row, int rows, float *acc, int fast, int dot) {
  if (fast) matmul_tile_fast(m, tile, x, row, rows, acc, dot);
  else matmul_tile_exact(m, tile, x, row, rows, acc);
}

// A thread's share of the results: (block of rows, tile) one after the other, block by block, so that a block's activations stay in the cache.
typedef struct {
  int begin, end, tiles, block;
} Units;

static Units units_of(const Worker *w, int rows, const Matrix *m) {
  Units u = {.tiles = (m->rows + TILE_ROWS - 1) / TILE_ROWS, .block = row_block(m->width)};
  share((rows + u.block - 1) / u.block * u.tiles, w->thread, w->threads, &u.begin, &u.end);
  return u;
}

typedef struct {
  const float *bias, *add;
  int gelu;
} Finish;

// value f32x4 of 4 columns, at `place` of the output.
INLINE v128_t finish4(const Finish *f, v128_t value, int column, size_t place) {
  if (f->bias) value = wasm_f32x4_add(value, load4(f->bias + column));
  if (f->gelu) value = gelu4(value);
  return f->add ? wasm_f32x4_add(value, load4(f->add + place)) : value;
}

static float finish1(const Finish *f, float value, int column, size_t place) {
  if (f->bias) value += f->bias[column];
  if (f->gelu) value = gelu1(value);
  return f->add ? value + f->add[place] : value;
}

// words: rows, weight (layout, rows, width, data), activations, fast, out, bias, gelu, add
void step_linear(const Worker *w, Words words) {
  const int rows = count_of(w->control, words[0]);
  const Matrix m = {words[1], words[2], words[3], (const uint8_t *)at(words[4])};
  const Activations x = activations(words + 5, rows);
  Words rest = words + 5 + ACTIVATION_WORDS;
  const int fast = rest[0], dot = w->control->dot;
  float *out = at(rest[1]);
  const Finish finish = {rest[2] ? at(rest[2]) : 0, rest[4] ? at(rest[4]) : 0, rest[3]};
  const Units units = units_of(w, rows, &m);
  for (int unit = units.begin; unit < units.end; unit++) {
    const int tile = unit % units.tiles, row = unit / units.tiles * units.block, count = min_int(units.block, rows - row);
    const int column = tile * TILE_ROWS, columns = min_int(TILE_ROWS, m.rows - column);
    _Alignas(16) float acc[MATMUL_ROWS * TILE_ROWS];
    multiply(&m, tile, &x, row, count, acc, fast, dot);
    for (int r = 0; r < count; r++) {
      const size_t place = (size_t)(row + r) * m.rows + column;
      const float *values = acc + r * TILE_ROWS;
      if (columns == TILE_ROWS) {
        store4(out + place, finish4(&finish, load4(values), column, place));
        store4(out + place + 4, finish4(&finish, load4(values + 4), column + 4, place + 4));
      } else {
        for (int i = 0; i < columns; i++) out[place + i] = finish1(&finish, values[i], column + i, place + i);
      }
    }
  }
}

// words: rows, gate (layout, rows, width, data), up (the same), activations, fast of gate, fast of up, out
void step_gated_linear(const Worker *w, Words words) {
  const int rows = count_of(w->control, words[0]);
  const Matrix gate = {words[1], words[2], words[3], (const uint8_t *)at(words[4])};
  const Matrix up = {words[5], words[6], words[7], (const uint8_t *)at(words[8])};
  const Activations x = activations(words + 9, rows);
  Words rest = words + 9 + ACTIVATION_WORDS;
  float *out = at(rest[2]);
  const int dot = w->control->dot;
  const Units units = units_of(w, rows, &gate);
  for (int unit = units.begin; unit < units.end; unit++) {
    const int tile = unit % units.tiles, row = unit / units.tiles * units.block, count = min_int(units.block, rows - row);
    const int column = tile * TILE_ROWS, columns = min_int(TILE_ROWS, gate.rows - column);
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
