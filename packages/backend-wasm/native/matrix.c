#include "matrix.h"
#include "int16.h"

static constexpr uint8_t layouts[] = {
  [TYPE_F32] = MATRIX_F32,   [TYPE_F16] = MATRIX_F16,  [TYPE_BF16] = MATRIX_BF16, [TYPE_Q4_0] = MATRIX_U4,
  [TYPE_Q4_1] = MATRIX_U4M,  [TYPE_Q5_0] = MATRIX_U5,  [TYPE_Q5_1] = MATRIX_U5M,  [TYPE_Q8_0] = MATRIX_Q8,
  [TYPE_Q4_K] = MATRIX_U4M,  [TYPE_Q5_K] = MATRIX_U5M, [TYPE_Q6_K] = MATRIX_U6,
};

int matrix_layout(int type, int fast) { return fast && (type == TYPE_F16 || type == TYPE_BF16) ? MATRIX_I16 : layouts[type]; }

uint32_t matrix_bytes(int layout, int rows, int width) {
  if (layout < MATRIX_I16) return (uint32_t)rows * width * (layout == MATRIX_F32 ? 4 : 2);
  uint32_t tiles = (uint32_t)((rows + TILE_ROWS - 1) / TILE_ROWS);
  return tiles * (layout == MATRIX_I16 ? pack_bytes(TILE_ROWS, pairs_of(width)) : (uint32_t)(width / BLOCK * block_bytes(formats[layout])));
}

static void dense_row(int layout, const uint8_t *data, int width, float *out) {
  if (layout == MATRIX_F32) {
    __builtin_memcpy(out, data, (size_t)width * 4);
    return;
  }
  int half = layout == MATRIX_F16;
  int c = 0;
  for (; c + 4 <= width; c += 4) wasm_v128_store(out + c, half ? load_f16x4(data + 2 * c) : load_bf16x4(data + 2 * c));
  for (; c < width; c++) out[c] = half ? f16_value(load_u16(data + 2 * c)) : bf16_value(load_u16(data + 2 * c));
}

// Row `lane` of a tile's block. An absent offset is not added: −0 has to stay −0.
static void block_row(Format f, const uint8_t *block, int lane, float *out) {
  const uint8_t *quants = block + header_bytes(f) + 4 * lane;
  const float *numbers = (const float *)block;
  float first = f.header == HEADER_SCALE ? load_f16(block + 2 * lane) : numbers[lane];
  float second = f.header == HEADER_SCALE ? 0 : numbers[TILE_ROWS + lane];
  for (int c = 0; c < BLOCK; c++) {
    int half = c / 16;
    uint8_t byte = f.bits == 4 ? quants[c % 16 / 4 * 32 + c % 4] : quants[c / 4 * 32 + c % 4];
    int q = f.bits == 8 ? (int8_t)byte : f.bits == 4 ? byte >> 4 * half & 15 : byte;
    float d = f.header == HEADER_HALVES && half ? second : first;
    float value = (float)(q - f.zero) * d;
    out[c] = f.header == HEADER_OFFSET ? value + second : value;
  }
}

static void pack_lane(const uint8_t *pack, int lane, int width, float *out) {
  const int16_t *values = pack_values(pack, TILE_ROWS) + 2 * lane;
  float scale = ((const float *)pack)[lane];
  for (int c = 0; c < width; c++) out[c] = (float)values[c / 2 * 2 * TILE_ROWS + c % 2] * scale;
}

void matrix_row(const Matrix *m, int row, float *out) {
  if (m->layout < MATRIX_I16) {
    dense_row(m->layout, m->data + matrix_bytes(m->layout, row, m->width), m->width, out);
    return;
  }
  const uint8_t *tile = m->data + matrix_bytes(m->layout, row / TILE_ROWS * TILE_ROWS, m->width);
  if (m->layout == MATRIX_I16) return pack_lane(tile, row % TILE_ROWS, m->width, out);
  Format f = formats[m->layout];
  for (int c = 0; c < m->width; c += BLOCK, tile += block_bytes(f)) block_row(f, tile, row % TILE_ROWS, out + c);
}
