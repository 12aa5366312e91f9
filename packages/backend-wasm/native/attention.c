// Attention over ranges of a ring, without a score matrix: keys in blocks, running maximum and sum (online softmax).
//
// Four query heads of one row that share a kv head are computed together, one a lane of the softmax: each key and value is loaded once
// for all four. Work is cut into parts of (row, group of heads, stretch of keys); a single row would else keep one thread busy.
#include "attention-tiles.h"
#include "steps.h"
#include "vector-math.h"

#define LANES 4
#define KEYS 32           // keys of a block
#define MAX_HEAD_DIM 1024  // what core lets a config have: 16 KiB of stack
#define MIN_PART_KEYS 64  // a stretch of keys that is worth a thread

typedef struct {
  const float *q, *k, *v;  // q: the row's heads; k, v: the kv head of slot 0
  int head_dim, lanes, kv_width, capacity;
  float scale;
} Group;

// What a stretch of keys leaves: per lane the maximum score, Σ e^(score − max), and Σ e^(score − max) · v f32 [lanes][head_dim].
typedef struct {
  v128_t max, sum;
  float *mixed;
} Partial;

// Lane h becomes the sum of dot[h].
INLINE v128_t sum_lanes(const v128_t dot[LANES]) {
  const v128_t low01 = wasm_i32x4_shuffle(dot[0], dot[1], 0, 4, 1, 5), high01 = wasm_i32x4_shuffle(dot[0], dot[1], 2, 6, 3, 7);
  const v128_t low23 = wasm_i32x4_shuffle(dot[2], dot[3], 0, 4, 1, 5), high23 = wasm_i32x4_shuffle(dot[2], dot[3], 2, 6, 3, 7);
  const v128_t pair01 = wasm_f32x4_add(low01, high01), pair23 = wasm_f32x4_add(low23, high23);
  return wasm_f32x4_add(wasm_i32x4_shuffle(pair01, pair23, 0, 1, 4, 5), wasm_i32x4_shuffle(pair01, pair23, 2, 3, 6, 7));
}

// Scores of `keys` (1 or 2) keys from k on: each load of a query head serves both.
INLINE void score_keys(const Group *g, const float *k, int keys, v128_t *scores) {
  const int whole = g->head_dim & ~3;
  const float *q[LANES];
  for (int h = 0; h < LANES; h++) q[h] = g->q + (size_t)(h < g->lanes ? h : 0) * g->head_dim;
  v128_t dot[2][LANES] = {};
  for (int d = 0; d < whole; d += 4) {
    for (int h = 0; h < LANES; h++) {
      const v128_t q4 = load4(q[h] + d);
      for (int i = 0; i < keys; i++) dot[i][h] = madd4(q4, load4(k + (size_t)i * g->kv_width + d), dot[i][h]);
    }
  }
  for (int i = 0; i < keys; i++) {
    _Alignas(16) float tail[LANES] = {0, 0, 0, 0};
    for (int d = whole; d < g->head_dim; d++)
      for (int h = 0; h < LANES; h++) tail[h] += q[h][d] * k[(size_t)i * g->kv_width + d];
    scores[i] = wasm_f32x4_mul(wasm_f32x4_add(sum_lanes(dot[i]), wasm_v128_load(tail)), wasm_f32x4_splat(g->scale));
  }
}

// Scores of `count` keys from slot `slot` on, four heads a vector: scores[i] lane h = q_h · k_i · scale.
static void score(const Group *g, int slot, int count, v128_t *scores) {
  const float *k = g->k + (size_t)slot * g->kv_width;
  int i = 0;
  for (; i + 2 <= count; i += 2) score_keys(g, k + (size_t)i * g->kv_width, 2, scores + i);
  if (i < count) score_keys(g, k + (size_t)i * g->kv_width, 1, scores + i);
}

// Columns [d, d + 8) of `heads` heads (from head h on): each load of a value serves all of them.
INLINE void mix_columns(const Group *g, const float *v, int count, const float *weights, const float *decays, int h, int heads, int d, float *mixed) {
  v128_t sum[LANES][2];
  for (int j = 0; j < heads; j++) {
    const float *from = mixed + (size_t)(h + j) * g->head_dim + d;
    const v128_t decay = wasm_f32x4_splat(decays[h + j]);
    sum[j][0] = wasm_f32x4_mul(load4(from), decay);
    sum[j][1] = wasm_f32x4_mul(load4(from + 4), decay);
  }
  for (int i = 0; i < count; i++, v += g->kv_width, weights += LANES) {
    const v128_t v0 = load4(v), v1 = load4(v + 4);
    for (int j = 0; j < heads; j++) {
      const v128_t weight = wasm_v128_load32_splat(weights + h + j);
      sum[j][0] = madd4(weight, v0, sum[j][0]);
      sum[j][1] = madd4(weight, v1, sum[j][1]);
    }
  }
  for (int j = 0; j < heads; j++) {
    float *to = mixed + (size_t)(h + j) * g->head_dim + d;
    store4(to, sum[j][0]);
    store4(to + 4, sum[j][1]);
  }
}

// mixed[h][d] = mixed[h][d] · decay_h + Σ_i weights[i][h] · v_i[d]
static void mix(const Group *g, int slot, int count, const v128_t *weights, v128_t decay, float *mixed) {
  const float *w = (const float *)weights, *v = g->v + (size_t)slot * g->kv_width;
  _Alignas(16) float decays[LANES];
  wasm_v128_store(decays, decay);
  const int whole = g->head_dim & ~7;
  for (int d = 0; d < whole; d += 8) {
    if (g->lanes == LANES) mix_columns(g, v + d, count, w, decays, 0, LANES, d, mixed);
    else for (int h = 0; h < g->lanes; h++) mix_columns(g, v + d, count, w, decays, h, 1, d, mixed);
  }
  for (int h = 0; h < g->lanes; h++) {
    for (int d = whole; d < g->head_dim; d++) {
      float sum = mixed[h * g->head_dim + d] * decays[h];
      for (int i = 0; i < count; i++) sum += w[i * LANES + h] * v[(size_t)i * g->kv_width + d];
      mixed[h * g->head_dim + d] = sum;
    }
  }
}

static void attend(const Group *g, int begin, int end, Partial *p) {
  const v128_t nothing = wasm_f32x4_splat(-__builtin_inff());
  p->max = nothing;
  p->sum = wasm_f32x4_splat(0);
  for (int i = 0; i < g->lanes * g->head_dim; i++) p->mixed[i] = 0;
  for (int key = begin, count; key < end; key += count) {
    const int slot = key % g->capacity;
    count = min_int(min_int(KEYS, end - key), g->capacity - slot);  // a block does not wrap around
    v128_t scores[KEYS];
    score(g, slot, count, scores);
    v128_t max = p->max;
    for (int i = 0; i < count; i++) max = wasm_f32x4_pmax(max, scores[i]);
    const v128_t decay = exp4(wasm_f32x4_sub(p->max, max));  // e^(−∞) = 0 at the first block
    v128_t sum = wasm_f32x4_mul(p->sum, decay);
    for (int i = 0; i < count; i++) {
      scores[i] = exp4(wasm_f32x4_sub(scores[i], max));
      sum = wasm_f32x4_add(sum, scores[i]);
    }
    p->max = max;
    p->sum = sum;
    mix(g, slot, count, scores, decay, p->mixed);
  }
}

// Joins the partials of one group and writes its heads.
static void join(const Partial *parts, int count, int lanes, int head_dim, float *out) {
  v128_t max = parts[0].max;
  for (int i = 1; i < count; i++) max = wasm_f32x4_pmax(max, parts[i].max);
  v128_t total = wasm_f32x4_splat(0);
  for (int i = 0; i < count; i++) total = wasm_f32x4_add(total, wasm_f32x4_mul(parts[i].sum, exp4(wasm_f32x4_sub(parts[i].max, max))));
  for (int i = 0; i < count; i++) {
    _Alignas(16) float factor[LANES];
    wasm_v128_store(factor, wasm_f32x4_div(exp4(wasm_f32x4_sub(parts[i].max, max)), total));
    for (int h = 0; h < lanes; h++) {
      for (int d = 0; d < head_dim; d++) {
        const float value = parts[i].mixed[h * head_dim + d] * factor[h];
        out[h * head_dim + d] = i == 0 ? value : out[h * head_dim + d] + value;
      }
    }
  }
}

static void write_probabilities(const Group *g, int begin, int end, const Partial *parts, int count, float *probabilities) {
  v128_t max = parts[0].max;
  for (int i = 1; i < count; i++) max = wasm_f32x4_pmax(max, parts[i].max);
  v128_t total = wasm_f32x4_splat(0);
  for (int i = 0; i < count; i++) total = wasm_f32x4_add(total, wasm_f32x4_mul(parts[i].sum, exp4(wasm_f32x4_sub(parts[i].max, max))));
  for (int i = 0; i < g->lanes * g->capacity; i++) probabilities[i] = 0;
  for (int key = begin; key < end; key++) {
    v128_t one;
    score(g, key % g->capacity, 1, &one);
    _Alignas(16) float p[LANES];
    wasm_v128_store(p, wasm_f32x4_div(exp4(wasm_f32x4_sub(one, max)), total));
    for (int h = 0; h < g->lanes; h++) probabilities[h * g->capacity + key % g->capacity] = p[h];
  }
}

// words: rows, q, k, v, begin, end, out, head width, q heads, kv heads, capacity, scale, probabilities, partials, parts a group (most), fast, tiles
// partials: f32 [rows · groups a row · parts][8 + LANES · head width], for groups cut into several parts.
// tiles: scratch of attention-tiles.c, where the plan may have so many rows.
void step_attention(const Worker *w, Words words) {
  const int rows = count_of(w->control, words[0]);
  const int32_t *begins = (const int32_t *)at(words[4]), *ends = (const int32_t *)at(words[5]);
  const int head_dim = words[7], q_heads = words[8], kv_heads = words[9], capacity = words[10], kv_width = kv_heads * head_dim;
  if (words[16] && rows >= TILED_ROWS) {
    const Attention a = {
      .q = at(words[1]), .k = at(words[2]), .v = at(words[3]), .begins = begins, .ends = ends, .out = at(words[6]), .rows = rows, .head_dim = head_dim,
      .q_heads = q_heads, .kv_heads = kv_heads, .capacity = capacity, .scale = as_float(words[11]), .fast = words[15], .scratch = (uint8_t *)at(words[16]),
    };
    if (attend_in_tiles(w, &a)) return;
  }
  const int heads_per_kv = q_heads / kv_heads, groups_per_kv = (heads_per_kv + LANES - 1) / LANES, groups = kv_heads * groups_per_kv;
  const int parts = rows * groups >= 2 * w->threads ? 1 : words[14];
  const int partial_floats = 8 + LANES * head_dim;
  int begin, end;
  share(rows * groups * parts, w->thread, w->threads, &begin, &end);
  for (int phase = 0; phase < 2; phase++) {
    if (phase == 1) {
      if (parts == 1) return;
      barrier(w->control);
      share(rows * groups, w->thread, w->threads, &begin, &end);
    }
    for (int item = begin; item < end; item++) {
      const int pieces = phase == 0 ? parts : 1;
      const int piece = item % pieces, unit = item / pieces, r = unit / groups, kv = unit % groups / groups_per_kv;
      const int head = kv * heads_per_kv + unit % groups_per_kv * LANES;
      const Group g = {
        .q = at(words[1]) + ((size_t)r * q_heads + head) * head_dim, .k = at(words[2]) + kv * head_dim, .v = at(words[3]) + kv * head_dim,
        .head_dim = head_dim, .lanes = min_int(LANES, (kv + 1) * heads_per_kv - head), .kv_width = kv_width, .capacity = capacity, .scale = as_float(words[11]),
      };
      float *out = at(words[6]) + ((size_t)r * q_heads + head) * head_dim;
      float *probabilities = words[12] ? at(words[12]) + ((size_t)r * q_heads + head) * capacity : 0;
      const int first = begins[r], keys = ends[r] - first;
      if (parts == 1) {
        _Alignas(16) float mixed[LANES * MAX_HEAD_DIM];
        Partial p = {.mixed = mixed};
        attend(&g, first, first + keys, &p);
        join(&p, 1, g.lanes, head_dim, out);
        if (probabilities) write_probabilities(&g, first, first + keys, &p, 1, probabilities);
        continue;
      }
      // Several parts: shorter rows use fewer of them.
      const int used = max_int(1, min_int(parts, keys / MIN_PART_KEYS));
      float *store = at(words[13]) + (size_t)unit * parts * partial_floats;
      if (phase == 0) {
        if (piece >= used) continue;
        int from, to;
        share(keys, piece, used, &from, &to);
        Partial p = {.mixed = store + (size_t)piece * partial_floats + 8};
        attend(&g, first + from, first + to, &p);
        wasm_v128_store(p.mixed - 8, p.max);
        wasm_v128_store(p.mixed - 4, p.sum);
      } else {
        Partial all[64];
        for (int i = 0; i < used; i++) {
          float *p = store + (size_t)i * partial_floats;
          all[i] = (Partial){wasm_v128_load(p), wasm_v128_load(p + 4), p + 8};
        }
        join(all, used, g.lanes, head_dim, out);
        if (probabilities) write_probabilities(&g, first, first + keys, all, used, probabilities);
      }
    }
  }
}
