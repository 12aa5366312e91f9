// Attention of many rows: blocks of 32 queries × 128 keys, without a score matrix in memory (flash attention).
//
// First the keys and values that any row sees are packed, once for all query heads and blocks of queries: keys in tiles of 8 as the columns of
// a register block, values in tiles of 8 dimensions. Then each thread takes (head, 32 rows): scores of a block of keys, their softmax within
// the block (e^(score − the block's maximum)), its product with the values, and that added to what earlier blocks gave, each weighted by its
// maximum. Fast numerics multiply 16-bit integers (int16.h), exact ones f32. A block starts at a multiple of 128 positions, so that a row's
// sums do not depend on where its chunk began.
#include "attention-tiles.h"
#include "dot32.h"
#include "int16.h"

#define KEYS 128
#define QUERIES 32
#define GROUP PACK_ROWS              // rows of a register block
#define GROUPS (QUERIES / GROUP)
#define KEY_TILES (KEYS / TILE_ROWS)

// Fast: softmax weights are whole numbers up to WEIGHT_MOST, values up to VALUE_MOST: 128 · 8191 · 2047 < 2³¹.
#define WEIGHT_MOST 8191
#define WEIGHT_MOST_LOG2 12.99982386f
#define VALUE_MOST 2047
#define LOG2_E 1.44269504f

typedef struct {
  v128_t row[GROUP];
} Square;

INLINE Square transpose(Square s) {
  const v128_t ab_low = wasm_i32x4_shuffle(s.row[0], s.row[1], 0, 4, 1, 5), ab_high = wasm_i32x4_shuffle(s.row[0], s.row[1], 2, 6, 3, 7);
  const v128_t cd_low = wasm_i32x4_shuffle(s.row[2], s.row[3], 0, 4, 1, 5), cd_high = wasm_i32x4_shuffle(s.row[2], s.row[3], 2, 6, 3, 7);
  return (Square){{
    wasm_i64x2_shuffle(ab_low, cd_low, 0, 2), wasm_i64x2_shuffle(ab_low, cd_low, 1, 3),
    wasm_i64x2_shuffle(ab_high, cd_high, 0, 2), wasm_i64x2_shuffle(ab_high, cd_high, 1, 3),
  }};
}

// One number for each row of a group.
INLINE v128_t splat_row(v128_t rows, int r) {
  switch (r) {
    case 0: return wasm_i32x4_shuffle(rows, rows, 0, 0, 0, 0);
    case 1: return wasm_i32x4_shuffle(rows, rows, 1, 1, 1, 1);
    case 2: return wasm_i32x4_shuffle(rows, rows, 2, 2, 2, 2);
    default: return wasm_i32x4_shuffle(rows, rows, 3, 3, 3, 3);
  }
}

INLINE v128_t minus_infinity(void) { return wasm_f32x4_splat(-__builtin_inff()); }

// Sizes. f32 forms: a tile of keys is a panel [head_dim][8], of values [KEYS][8]; a group of queries is [head_dim][4], of weights [KEYS][4].
static uint32_t key_tile_bytes(int fast, int head_dim) { return fast ? pack_bytes(TILE_ROWS, pairs_of(head_dim)) : (uint32_t)head_dim * TILE_ROWS * 4; }
static uint32_t value_tile_bytes(int fast) { return fast ? pack_bytes(TILE_ROWS, KEYS / 2) : KEYS * TILE_ROWS * 4; }
static int value_tiles(int head_dim) { return (head_dim + TILE_ROWS - 1) / TILE_ROWS; }
static uint32_t block_size(int fast, int head_dim) { return KEY_TILES * key_tile_bytes(fast, head_dim) + (uint32_t)value_tiles(head_dim) * value_tile_bytes(fast); }
static uint32_t query_group_bytes(int fast, int head_dim) { return fast ? pack_bytes(GROUP, pairs_of(head_dim)) : (uint32_t)head_dim * GROUP * 4; }
static uint32_t weight_group_bytes(int fast) { return fast ? KEYS * GROUP * 2 : KEYS * GROUP * 4; }
static int most_blocks(int capacity) { return (capacity + 2 * KEYS - 2) / KEYS; }

// What a thread has for itself: queries, softmax weights, and the sum of weighted values f32 [QUERIES][value tiles · 8].
static uint32_t local_bytes(int fast, int head_dim) {
  return GROUPS * (query_group_bytes(fast, head_dim) + weight_group_bytes(fast)) + (uint32_t)(QUERIES * value_tiles(head_dim) * TILE_ROWS) * 4;
}

uint32_t attention_bytes(int fast, int head_dim, int kv_heads, int capacity, int threads) {
  return (uint32_t)(kv_heads * most_blocks(capacity)) * block_size(fast, head_dim) + (uint32_t)threads * local_bytes(fast, head_dim);
}

// Dimensions [d, d + 8) of a head, zeros past its end.
INLINE Rows load_dimensions(const float *head, int d, int head_dim) {
  if (d + TILE_ROWS <= head_dim) return load_rows(head + d);
  alignas(16) float rest[TILE_ROWS] = {};
  for (int i = 0; d + i < head_dim; i++) rest[i] = head[d + i];
  return load_rows(rest);
}

INLINE v128_t inverse_of(v128_t scale) {
  return wasm_v128_andnot(wasm_f32x4_div(wasm_f32x4_splat(1), scale), wasm_f32x4_lt(scale, wasm_f32x4_splat(0x1p-110f)));
}

// Whole numbers of two keys, side by side for each dimension.
INLINE void store_pair(int16_t *to, Rows first, Rows second, Rows inverse) {
  const v128_t a = wasm_i16x8_narrow_i32x4(round4(first.low, inverse.low), round4(first.high, inverse.high));
  const v128_t b = wasm_i16x8_narrow_i32x4(round4(second.low, inverse.low), round4(second.high, inverse.high));
  wasm_v128_store(to, wasm_i16x8_shuffle(a, b, 0, 8, 1, 9, 2, 10, 3, 11));
  wasm_v128_store(to + 8, wasm_i16x8_shuffle(a, b, 4, 12, 5, 13, 6, 14, 7, 15));
}

// Dimensions [d, d + 8) of the values rows[0 … KEYS) (null: no key) as a pack whose pairs are keys.
static void pack_values_of(const float *const *rows, int d, int head_dim, uint8_t *pack) {
  Rows most = {};
  for (int i = 0; i < KEYS; i++) {
    if (!rows[i]) continue;
    const Rows v = load_dimensions(rows[i], d, head_dim);
    most = (Rows){wasm_f32x4_max(most.low, wasm_f32x4_abs(v.low)), wasm_f32x4_max(most.high, wasm_f32x4_abs(v.high))};
  }
  const v128_t step = wasm_f32x4_splat(1.0f / VALUE_MOST);
  const Rows scale = {wasm_f32x4_mul(most.low, step), wasm_f32x4_mul(most.high, step)};
  const Rows inverse = {inverse_of(scale.low), inverse_of(scale.high)};
  wasm_v128_store(pack, scale.low);
  wasm_v128_store(pack + 16, scale.high);
  int16_t *to = (int16_t *)(pack + 4 * TILE_ROWS);
  for (int i = 0; i < KEYS; i += 2, to += 2 * TILE_ROWS) {
    const Rows first = rows[i] ? load_dimensions(rows[i], d, head_dim) : (Rows){}, second = rows[i + 1] ? load_dimensions(rows[i + 1], d, head_dim) : (Rows){};
    store_pair(to, first, second, inverse);
  }
}

// Block `block` of a kv head, of which rows see keys [first, last).
static void pack_block(const Attention *a, int kv, int block, int first, int last, uint8_t *to) {
  const size_t width = (size_t)a->kv_heads * a->head_dim;
  const float *values[KEYS];
  const uint32_t tile_bytes = key_tile_bytes(a->fast, a->head_dim);
  uint8_t *value_packs = to + KEY_TILES * tile_bytes;
  __builtin_memset(to, 0, tile_bytes * KEY_TILES);
  for (int i = 0; i < KEYS; i++) {
    const int key = block * KEYS + i;
    values[i] = 0;
    if (key < first || key >= last) continue;
    const size_t place = (size_t)(key % a->capacity) * width + (size_t)(kv * a->head_dim);
    const float *k = a->k + place;
    uint8_t *tile = to + (uint32_t)(i / TILE_ROWS) * tile_bytes;
    values[i] = a->v + place;
    if (a->fast) pack_row(MATRIX_F32, (const uint8_t *)k, a->head_dim, tile, TILE_ROWS, i % TILE_ROWS);
    else for (int d = 0; d < a->head_dim; d++) ((float *)tile)[d * TILE_ROWS + i % TILE_ROWS] = k[d];
  }
  for (int d = 0; d < a->head_dim; d += TILE_ROWS, value_packs += value_tile_bytes(a->fast)) {
    if (a->fast) {
      pack_values_of(values, d, a->head_dim, value_packs);
      continue;
    }
    for (int i = 0; i < KEYS; i++) ((Rows *)value_packs)[i] = values[i] ? load_dimensions(values[i], d, a->head_dim) : (Rows){};
  }
}

// One block of queries of one head, and what has come of it so far: one number a row, by groups.
typedef struct {
  uint8_t *queries, *weights;
  float *mixed;  // f32 [QUERIES][dimensions], dimensions a multiple of 8
  v128_t factor[GROUPS];  // of raw scores, to the exponent of e
  v128_t max[GROUPS];     // of raw scores
  v128_t sum[GROUPS];     // Σ e^(score − max)
  v128_t keep[GROUPS], take[GROUPS];  // weights of earlier blocks' sums and of this block's
  int begins[QUERIES], ends[QUERIES];
  int head_dim, dimensions;
} Queries;

static void load_queries(const Attention *a, int head, int row, Queries *u) {
  const uint32_t bytes = query_group_bytes(a->fast, a->head_dim);
  __builtin_memset(u->queries, 0, GROUPS * bytes);
  __builtin_memset(u->mixed, 0, (size_t)(QUERIES * u->dimensions) * 4);
  for (int r = 0; r < QUERIES; r++) {
    const int there = row + r < a->rows;
    u->begins[r] = there ? a->begins[row + r] : 0;
    u->ends[r] = there ? a->ends[row + r] : 0;
    if (!there) continue;
    const float *q = a->q + ((size_t)(row + r) * a->q_heads + head) * a->head_dim;
    uint8_t *group = u->queries + (uint32_t)(r / GROUP) * bytes;
    if (a->fast) pack_row(MATRIX_F32, (const uint8_t *)q, a->head_dim, group, GROUP, r % GROUP);
    else for (int d = 0; d < a->head_dim; d++) ((float *)group)[d * GROUP + r % GROUP] = q[d];
  }
  for (int g = 0; g < GROUPS; g++) {
    const v128_t scale = wasm_f32x4_splat(a->scale);
    u->factor[g] = a->fast ? wasm_f32x4_mul(scale, wasm_v128_load(u->queries + (uint32_t)g * bytes)) : scale;
    u->max[g] = minus_infinity();
    u->sum[g] = wasm_f32x4_splat(0);
  }
}

NOINLINE static void dot32_group(const float *x, const float *panel, int columns, Rows *sums) { dot32(GROUP, x, 1, GROUP, panel, columns, 0, 1, sums); }

INLINE void dot_keys(int fast, const uint8_t *queries, const uint8_t *tile, int head_dim, Rows *scores) {
  if (fast) {
    dot16_four(pack_values(queries, GROUP), pack_values(tile, TILE_ROWS), pairs_of(head_dim), scores);
    const Rows scale = load_rows(tile);
    for (int r = 0; r < GROUP; r++) {
      scores[r].low = wasm_f32x4_mul(wasm_f32x4_convert_i32x4(scores[r].low), scale.low);
      scores[r].high = wasm_f32x4_mul(wasm_f32x4_convert_i32x4(scores[r].high), scale.high);
    }
  } else {
    dot32_group((const float *)queries, (const float *)tile, head_dim, scores);
  }
}

// −∞ for keys that the row does not see. key: of the first lane.
INLINE v128_t masked(v128_t scores, int key, int begin, int end) {
  const v128_t keys = wasm_i32x4_add(wasm_i32x4_splat(key), wasm_i32x4_const(0, 1, 2, 3));
  const v128_t seen = wasm_v128_and(wasm_i32x4_ge(keys, wasm_i32x4_splat(begin)), wasm_i32x4_lt(keys, wasm_i32x4_splat(end)));
  return wasm_v128_bitselect(scores, minus_infinity(), seen);
}

// 2^x within 3e-6 for −20 ≤ x ≤ 13, NaN stays NaN: less than half a unit of a weight of 13 bits. V8 builds a constant anew wherever it is
// used, so a loop gets them as variables.
typedef struct {
  v128_t rounder, rounder_to_exponent, least, c0, c1, c2, c3, c4;
} Exponential;

INLINE Exponential exponential(void) {
  return (Exponential){
    opaque(wasm_f32x4_splat(ROUNDER)), opaque(wasm_f32x4_splat(ROUNDER + 127)), opaque(wasm_f32x4_splat(-20)),
    opaque(wasm_f32x4_splat(0.999999261f)), opaque(wasm_f32x4_splat(6.93121815e-01f)), opaque(wasm_f32x4_splat(2.40247450e-01f)), opaque(wasm_f32x4_splat(5.59178599e-02f)), opaque(wasm_f32x4_splat(9.57009673e-03f)),
  };
}

INLINE v128_t small_exp2(const Exponential *e, v128_t x) {
  x = wasm_f32x4_pmax(x, e->least);
  const v128_t whole = wasm_f32x4_add(x, e->rounder_to_exponent);  // its low bits: the exponent of 2^n
  const v128_t r = wasm_f32x4_sub(x, wasm_f32x4_sub(whole, e->rounder_to_exponent));
  v128_t p = madd4(e->c4, r, e->c3);
  p = madd4(p, r, e->c2);
  p = madd4(p, r, e->c1);
  p = madd4(p, r, e->c0);
  return wasm_f32x4_mul(p, wasm_i32x4_shl(whole, 23));
}

// scores f32 [KEYS] → weights i16 [KEYS], 0 … WEIGHT_MOST; gives their sum.
NOINLINE static float whole_weights(const float *scores, float factor, float shift, int16_t *weights) {
  const Exponential e = exponential();
  const v128_t f = opaque(wasm_f32x4_splat(factor)), s = opaque(wasm_f32x4_splat(shift));
  v128_t sum = wasm_f32x4_splat(0);
  for (int key = 0; key < KEYS; key += 8, scores += 8, weights += 8) {
    const v128_t low = wasm_f32x4_add(small_exp2(&e, madd4(load4(scores), f, s)), e.rounder);
    const v128_t high = wasm_f32x4_add(small_exp2(&e, madd4(load4(scores + 4), f, s)), e.rounder);
    wasm_v128_store(weights, wasm_i16x8_narrow_i32x4(wasm_i32x4_sub(low, e.rounder), wasm_i32x4_sub(high, e.rounder)));
    sum = wasm_f32x4_add(sum, wasm_f32x4_add(wasm_f32x4_sub(low, e.rounder), wasm_f32x4_sub(high, e.rounder)));
  }
  return sum4(sum);
}

// scores f32 [KEYS] → e^(score · factor + shift) in their place; gives their sum.
NOINLINE static float exact_weights(float *scores, float factor, float shift) {
  v128_t sum = wasm_f32x4_splat(0);
  for (int key = 0; key < KEYS; key += 4) {
    const v128_t weight = exp4(madd4(load4(scores + key), wasm_f32x4_splat(factor), wasm_f32x4_splat(shift)));
    store4(scores + key, weight);
    sum = wasm_f32x4_add(sum, weight);
  }
  return sum4(sum);
}

// scores f32 [GROUP][KEYS] → the group's weights, interleaved; gives the sum of each row's.
INLINE v128_t exponentials(int fast, float *scores, v128_t factor, v128_t shift, uint8_t *weights) {
  alignas(16) int16_t whole[GROUP * KEYS];
  alignas(16) float sums[GROUP], factors[GROUP], shifts[GROUP];
  store4(factors, factor);
  store4(shifts, shift);
  for (int r = 0; r < GROUP; r++) {
    float *row = scores + r * KEYS;
    sums[r] = fast ? whole_weights(row, factors[r], shifts[r], whole + r * KEYS) : exact_weights(row, factors[r], shifts[r]);
  }
  const int lanes = fast ? 8 : 4;  // keys of a vector: pairs of i16, or f32
  for (int key = 0; key < KEYS; key += lanes, weights += GROUP * 16) {
    Square s;
    for (int r = 0; r < GROUP; r++) s.row[r] = fast ? wasm_v128_load(whole + r * KEYS + key) : load4(scores + r * KEYS + key);
    s = transpose(s);
    for (int i = 0; i < 4; i++) wasm_v128_store(weights + 16 * i, s.row[i]);
  }
  return load4(sums);
}

// Scores and weights of one group and one block of keys from position `key` on.
INLINE void weigh(int fast, Queries *u, int g, const uint8_t *block, int key, int whole) {
  alignas(16) float scores[GROUP * KEYS];
  const uint8_t *queries = u->queries + (uint32_t)g * query_group_bytes(fast, u->head_dim);
  const uint32_t tile_bytes = key_tile_bytes(fast, u->head_dim);
  Square most = {{minus_infinity(), minus_infinity(), minus_infinity(), minus_infinity()}};
  for (int t = 0; t < KEY_TILES; t++, block += tile_bytes) {
    Rows found[GROUP];
    dot_keys(fast, queries, block, u->head_dim, found);
    for (int r = 0; r < GROUP; r++) {
      if (!whole) {
        const int from = key + t * TILE_ROWS, row = g * GROUP + r;
        found[r].low = masked(found[r].low, from, u->begins[row], u->ends[row]);
        found[r].high = masked(found[r].high, from + 4, u->begins[row], u->ends[row]);
      }
      most.row[r] = wasm_f32x4_pmax(most.row[r], wasm_f32x4_pmax(found[r].low, found[r].high));
      store4(scores + r * KEYS + t * TILE_ROWS, found[r].low);
      store4(scores + r * KEYS + t * TILE_ROWS + 4, found[r].high);
    }
  }
  most = transpose(most);
  const v128_t max = wasm_f32x4_pmax(wasm_f32x4_pmax(most.row[0], most.row[1]), wasm_f32x4_pmax(most.row[2], most.row[3]));
  const v128_t none = wasm_f32x4_eq(max, minus_infinity()), first = wasm_f32x4_eq(u->max[g], minus_infinity());
  const v128_t subtract = wasm_v128_andnot(max, none), factor = u->factor[g];
  const v128_t exponent = fast ? wasm_f32x4_mul(factor, wasm_f32x4_splat(LOG2_E)) : factor;
  const v128_t shift = wasm_f32x4_sub(wasm_f32x4_splat(fast ? WEIGHT_MOST_LOG2 : 0), wasm_f32x4_mul(subtract, exponent));
  const v128_t sum = exponentials(fast, scores, exponent, shift, u->weights + (uint32_t)g * weight_group_bytes(fast));
  const v128_t together = wasm_f32x4_pmax(u->max[g], max);
  u->keep[g] = wasm_v128_andnot(exp4(wasm_f32x4_mul(wasm_f32x4_sub(u->max[g], together), factor)), first);
  u->take[g] = wasm_v128_andnot(exp4(wasm_f32x4_mul(wasm_f32x4_sub(max, together), factor)), none);
  u->sum[g] = wasm_f32x4_add(wasm_f32x4_mul(u->sum[g], u->keep[g]), wasm_f32x4_mul(sum, u->take[g]));
  u->max[g] = together;
}

// mixed = mixed · keep + weights · values · take
INLINE void mix(int fast, Queries *u, int g, const uint8_t *values) {
  const uint8_t *weights = u->weights + (uint32_t)g * weight_group_bytes(fast);
  for (int d = 0; d < u->dimensions; d += TILE_ROWS, values += value_tile_bytes(fast)) {
    Rows found[GROUP], scale = {};
    if (fast) {
      dot16_four((const int16_t *)weights, pack_values(values, TILE_ROWS), KEYS / 2, found);
      scale = load_rows(values);
    } else {
      dot32_group((const float *)weights, (const float *)values, KEYS, found);
    }
    for (int r = 0; r < GROUP; r++) {
      const v128_t keep = splat_row(u->keep[g], r), take = splat_row(u->take[g], r);
      float *to = u->mixed + (g * GROUP + r) * u->dimensions + d;
      if (fast) {
        found[r].low = wasm_f32x4_mul(wasm_f32x4_convert_i32x4(found[r].low), scale.low);
        found[r].high = wasm_f32x4_mul(wasm_f32x4_convert_i32x4(found[r].high), scale.high);
      }
      store4(to, madd4(load4(to), keep, wasm_f32x4_mul(found[r].low, take)));
      store4(to + 4, madd4(load4(to + 4), keep, wasm_f32x4_mul(found[r].high, take)));
    }
  }
}

static void write_out(const Attention *a, int head, int row, const Queries *u) {
  for (int r = 0; r < min_int(QUERIES, a->rows - row); r++) {
    const float sum = ((const float *)u->sum)[r];
    const float *from = u->mixed + r * u->dimensions;
    float *to = a->out + ((size_t)(row + r) * a->q_heads + head) * a->head_dim;
    for (int d = 0; d < a->head_dim; d++) to[d] = sum == 0 ? 0 : from[d] / sum;
  }
}

enum Sight { SEES_NOTHING, SEES_PART, SEES_ALL };

// What the group sees of keys [key, key + KEYS).
static enum Sight sight(const Queries *u, int g, int key) {
  int all = 1, any = 0;
  for (int r = g * GROUP; r < (g + 1) * GROUP; r++) {
    all &= u->begins[r] <= key && u->ends[r] >= key + KEYS;
    any |= max_int(u->begins[r], key) < min_int(u->ends[r], key + KEYS);
  }
  return all ? SEES_ALL : any ? SEES_PART : SEES_NOTHING;
}

INLINE void attend_block(int fast, Queries *u, const uint8_t *block, int key) {
  enum Sight seen[GROUPS];
  for (int g = 0; g < GROUPS; g++) {
    seen[g] = sight(u, g, key);
    if (seen[g] != SEES_NOTHING) weigh(fast, u, g, block, key, seen[g] == SEES_ALL);
  }
  block += KEY_TILES * key_tile_bytes(fast, u->head_dim);
  for (int g = 0; g < GROUPS; g++) if (seen[g] != SEES_NOTHING) mix(fast, u, g, block);
}

NOINLINE static void attend_block_fast(Queries *u, const uint8_t *block, int key) { attend_block(1, u, block, key); }
NOINLINE static void attend_block_exact(Queries *u, const uint8_t *block, int key) { attend_block(0, u, block, key); }

int attend_in_tiles(const Worker *w, const Attention *a) {
  int first = INT32_MAX, last = 0;
  for (int r = 0; r < a->rows; r++) {
    if (a->begins[r] >= a->ends[r]) continue;
    first = min_int(first, a->begins[r]);
    last = max_int(last, a->ends[r]);
  }
  if (last - first > a->capacity) return 0;
  const int first_block = first / KEYS, blocks = last == 0 ? 0 : (last + KEYS - 1) / KEYS - first_block;
  const uint32_t block_bytes = block_size(a->fast, a->head_dim);
  int begin, end;
  share(a->kv_heads * blocks, w->thread, w->threads, &begin, &end);
  for (int i = begin; i < end; i++) pack_block(a, i / blocks, first_block + i % blocks, first, last, a->scratch + (uint32_t)i * block_bytes);
  barrier(w->control);

  Queries u = {.head_dim = a->head_dim, .dimensions = value_tiles(a->head_dim) * TILE_ROWS};
  u.queries = a->scratch + (uint32_t)(a->kv_heads * most_blocks(a->capacity)) * block_bytes + (uint32_t)w->thread * local_bytes(a->fast, a->head_dim);
  u.weights = u.queries + GROUPS * query_group_bytes(a->fast, a->head_dim);
  u.mixed = (float *)(u.weights + GROUPS * weight_group_bytes(a->fast));
  const int row_blocks = (a->rows + QUERIES - 1) / QUERIES;
  share(a->q_heads * row_blocks, w->thread, w->threads, &begin, &end);  // by heads: their keys stay in the cache
  for (int i = begin; i < end; i++) {
    const int head = i / row_blocks, row = i % row_blocks * QUERIES, kv = head / (a->q_heads / a->kv_heads);
    load_queries(a, head, row, &u);
    for (int b = 0; b < blocks; b++) {
      const uint8_t *block = a->scratch + (uint32_t)(kv * blocks + b) * block_bytes;
      if (a->fast) attend_block_fast(&u, block, (first_block + b) * KEYS);
      else attend_block_exact(&u, block, (first_block + b) * KEYS);
    }
    write_out(a, head, row, &u);
  }
  return 1;
}
