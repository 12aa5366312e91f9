// From the file's blocks into tiles: for each row, its 4 columns of a group go to their place in the tile.
#include "int16.h"
#include "matrix.h"

// Where row `row` of a quantised matrix goes: its tile's first block, and its place in the tile.
typedef struct {
  uint8_t *block;
  int lane;
} Place;

// low, high u8x16: columns 0 … 15 and 16 … 31.
INLINE void store_quants(uint8_t *quants, int lane, v128_t low, v128_t high) {
  uint8_t *to = quants + 4 * lane;
  wasm_v128_store32_lane(to, low, 0);
  wasm_v128_store32_lane(to + 32, low, 1);
  wasm_v128_store32_lane(to + 64, low, 2);
  wasm_v128_store32_lane(to + 96, low, 3);
  wasm_v128_store32_lane(to + 128, high, 0);
  wasm_v128_store32_lane(to + 160, high, 1);
  wasm_v128_store32_lane(to + 192, high, 2);
  wasm_v128_store32_lane(to + 224, high, 3);
}

// nibbles u8x16: column j in the low nibble of byte j, column j + 16 in the high one.
INLINE void store_nibbles(uint8_t *quants, int lane, v128_t nibbles) {
  uint8_t *to = quants + 4 * lane;
  wasm_v128_store32_lane(to, nibbles, 0);
  wasm_v128_store32_lane(to + 32, nibbles, 1);
  wasm_v128_store32_lane(to + 64, nibbles, 2);
  wasm_v128_store32_lane(to + 96, nibbles, 3);
}

INLINE void store_scale(uint8_t *block, int lane, const uint8_t *f16) {
  block[2 * lane] = f16[0];
  block[2 * lane + 1] = f16[1];
}

INLINE void store_floats(uint8_t *block, int lane, float first, float second) {
  ((float *)block)[lane] = first;
  ((float *)block)[TILE_ROWS + lane] = second;
}

INLINE v128_t low_nibbles(v128_t v) { return wasm_v128_and(v, wasm_i8x16_const_splat(15)); }
INLINE v128_t high_nibbles(v128_t v) { return wasm_u8x16_shr(v, 4); }

// 16 where the bit of a column is set: bit j of two bytes, for j = 0 … 15.
INLINE v128_t fifth_bits(const uint8_t *bits) {
  v128_t bytes = wasm_i8x16_shuffle(wasm_v128_load16_splat(bits), wasm_i8x16_const_splat(0), 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1);
  v128_t mask = wasm_u8x16_const(1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128);
  return wasm_v128_and(wasm_i8x16_eq(wasm_v128_and(bytes, mask), mask), wasm_i8x16_const_splat(16));
}

// qh u32, qs u8[16] of Q5_0 and Q5_1.
INLINE void store_five_bits(uint8_t *quants, int lane, const uint8_t *qh, const uint8_t *qs) {
  v128_t nibbles = wasm_v128_load(qs);
  v128_t low = wasm_v128_or(low_nibbles(nibbles), fifth_bits(qh));
  v128_t high = wasm_v128_or(high_nibbles(nibbles), fifth_bits(qh + 2));
  store_quants(quants, lane, low, high);
}

// f16 d; i8 qs[32]
static void repack_q8_0(const uint8_t *from, int width, Place to) {
  for (int c = 0; c < width; c += 32, from += 34, to.block += 272) {
    store_scale(to.block, to.lane, from);
    store_quants(to.block + 16, to.lane, wasm_v128_load(from + 2), wasm_v128_load(from + 18));
  }
}

// f16 d; u8 qs[16]
static void repack_q4_0(const uint8_t *from, int width, Place to) {
  for (int c = 0; c < width; c += 32, from += 18, to.block += 144) {
    store_scale(to.block, to.lane, from);
    store_nibbles(to.block + 16, to.lane, wasm_v128_load(from + 2));
  }
}

// f16 d; f16 m; u8 qs[16]
static void repack_q4_1(const uint8_t *from, int width, Place to) {
  for (int c = 0; c < width; c += 32, from += 20, to.block += 192) {
    store_floats(to.block, to.lane, load_f16(from), load_f16(from + 2));
    store_nibbles(to.block + 64, to.lane, wasm_v128_load(from + 4));
  }
}

// f16 d; u32 qh; u8 qs[16]
static void repack_q5_0(const uint8_t *from, int width, Place to) {
  for (int c = 0; c < width; c += 32, from += 22, to.block += 272) {
    store_scale(to.block, to.lane, from);
    store_five_bits(to.block + 16, to.lane, from + 2, from + 6);
  }
}

// f16 d; f16 m; u32 qh; u8 qs[16]
static void repack_q5_1(const uint8_t *from, int width, Place to) {
  for (int c = 0; c < width; c += 32, from += 24, to.block += 320) {
    store_floats(to.block, to.lane, load_f16(from), load_f16(from + 2));
    store_five_bits(to.block + 64, to.lane, from + 4, from + 8);
  }
}

// The 6-bit scale and minimum of sub-block s out of the 12 bytes of Q4_K and Q5_K, times d and −dmin.
static void store_sub_block(uint8_t *block, int lane, const uint8_t *from, int s) {
  const uint8_t *sc = from + 4;
  int scale = s < 4 ? sc[s] & 63 : (sc[s + 4] & 15) | sc[s - 4] >> 6 << 4;
  int min = s < 4 ? sc[s + 4] & 63 : sc[s + 4] >> 4 | sc[s] >> 6 << 4;
  store_floats(block, lane, load_f16(from) * (float)scale, -(load_f16(from + 2) * (float)min));
}

// f16 d; f16 dmin; u8 sc[12]; u8 qs[128]
static void repack_q4_k(const uint8_t *from, int width, Place to) {
  for (int c = 0; c < width; c += 256, from += 144) {
    for (int k = 0; k < 4; k++, to.block += 2 * 192) {
      v128_t first = wasm_v128_load(from + 16 + 32 * k), second = wasm_v128_load(from + 32 + 32 * k);
      store_sub_block(to.block, to.lane, from, 2 * k);
      store_nibbles(to.block + 64, to.lane, wasm_v128_or(low_nibbles(first), wasm_i8x16_shl(second, 4)));
      store_sub_block(to.block + 192, to.lane, from, 2 * k + 1);
      store_nibbles(to.block + 192 + 64, to.lane, wasm_v128_or(high_nibbles(first), wasm_v128_andnot(second, wasm_i8x16_const_splat(15))));
    }
  }
}

// 16 where bit `bit` is set.
INLINE v128_t fifth_bit(v128_t v, int bit) { return wasm_v128_and(wasm_i8x16_shl(wasm_u8x16_shr(v, bit), 4), wasm_i8x16_const_splat(16)); }

// f16 d; f16 dmin; u8 sc[12]; u8 qh[32]; u8 qs[128]
static void repack_q5_k(const uint8_t *from, int width, Place to) {
  for (int c = 0; c < width; c += 256, from += 176) {
    v128_t bits_low = wasm_v128_load(from + 16), bits_high = wasm_v128_load(from + 32);
    for (int s = 0; s < 8; s++, to.block += 320) {
      v128_t first = wasm_v128_load(from + 48 + s / 2 * 32), second = wasm_v128_load(from + 64 + s / 2 * 32);
      v128_t low = s & 1 ? high_nibbles(first) : low_nibbles(first);
      v128_t high = s & 1 ? high_nibbles(second) : low_nibbles(second);
      store_sub_block(to.block, to.lane, from, s);
      store_quants(to.block + 64, to.lane, wasm_v128_or(low, fifth_bit(bits_low, s)), wasm_v128_or(high, fifth_bit(bits_high, s)));
    }
  }
}

// 16 columns of run `run` (0 … 3) of a half of Q6_K, from ql and qh at those columns.
INLINE v128_t six_bits(const uint8_t *ql, const uint8_t *qh, int run) {
  v128_t nibbles = wasm_v128_load(ql + 32 * (run & 1));
  v128_t top = wasm_u8x16_shr(wasm_v128_load(qh), 2 * run);
  v128_t low = run < 2 ? low_nibbles(nibbles) : high_nibbles(nibbles);
  return wasm_v128_or(low, wasm_v128_and(wasm_i8x16_shl(top, 4), wasm_i8x16_const_splat(48)));
}

// u8 ql[128]; u8 qh[64]; i8 sc[16]; f16 d
static void repack_q6_k(const uint8_t *from, int width, Place to) {
  for (int c = 0; c < width; c += 256, from += 210) {
    float d = load_f16(from + 208);
    for (int i = 0; i < 8; i++, to.block += 320) {
      int half = i / 4, run = i % 4;
      const uint8_t *ql = from + 64 * half, *qh = from + 128 + 32 * half;
      const int8_t *sc = (const int8_t *)from + 192 + 2 * i;
      store_floats(to.block, to.lane, d * (float)sc[0], d * (float)sc[1]);
      store_quants(to.block + 64, to.lane, six_bits(ql, qh, run), six_bits(ql + 16, qh + 16, run));
    }
  }
}

typedef struct {
  void (*repack)(const uint8_t *from, int width, Place to);
  int values;  // of a block of the file
  int bytes;
} Encoding;

static const Encoding encodings[] = {
  [TYPE_Q4_0] = {repack_q4_0, 32, 18},  [TYPE_Q4_1] = {repack_q4_1, 32, 20},   [TYPE_Q5_0] = {repack_q5_0, 32, 22},
  [TYPE_Q5_1] = {repack_q5_1, 32, 24},  [TYPE_Q8_0] = {repack_q8_0, 32, 34},   [TYPE_Q4_K] = {repack_q4_k, 256, 144},
  [TYPE_Q5_K] = {repack_q5_k, 256, 176}, [TYPE_Q6_K] = {repack_q6_k, 256, 210},
};

static void repack_dense(const Matrix *m, int type, int row, int rows, const uint8_t *source) {
  const uint32_t tile_bytes = pack_bytes(TILE_ROWS, pairs_of(m->width));
  for (int r = row; r < row + rows; r++, source += 2 * (size_t)m->width) {
    uint8_t *pack = (uint8_t *)m->data + r / TILE_ROWS * tile_bytes;
    if (type == TYPE_F16) pack_row(MATRIX_F16, source, m->width, pack, TILE_ROWS, r % TILE_ROWS);
    else pack_row(MATRIX_BF16, source, m->width, pack, TILE_ROWS, r % TILE_ROWS);
  }
}

void matrix_repack(const Matrix *m, int type, int row, int rows, const uint8_t *source) {
  uint8_t *data = (uint8_t *)m->data;
  if (m->layout == MATRIX_I16) return repack_dense(m, type, row, rows, source);
  if (m->layout < MATRIX_I16) {
    __builtin_memcpy(data + matrix_bytes(m->layout, row, m->width), source, matrix_bytes(m->layout, rows, m->width));
    return;
  }
  const Encoding encoding = encodings[type];
  int row_bytes = m->width / encoding.values * encoding.bytes;
  for (int r = row; r < row + rows; r++, source += row_bytes) {
    uint8_t *tile = data + matrix_bytes(m->layout, r / TILE_ROWS * TILE_ROWS, m->width);
    encoding.repack(source, m->width, (Place){tile, r % TILE_ROWS});
  }
}
