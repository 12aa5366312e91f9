// The best logits of a row, and log Σ exp. Each thread scans its stretch of the vocabulary against a threshold that only rises; thread 0 merges.
#include "steps.h"
#include "vector-math.h"

typedef struct {
  float value;
  int32_t id;
} Candidate;

// The order of results: larger logits first, then lower ids.
INLINE int better(Candidate a, Candidate b) { return a.value > b.value || (a.value == b.value && a.id < b.id); }

// A heap with the worst candidate on top.
typedef struct {
  Candidate *items;
  int count, most;
} Heap;

static void sift_down(Heap *h, int at_item) {
  for (;;) {
    int worst = at_item;
    for (int child = 2 * at_item + 1; child <= 2 * at_item + 2 && child < h->count; child++)
      if (better(h->items[worst], h->items[child])) worst = child;
    if (worst == at_item) return;
    const Candidate swap = h->items[worst];
    h->items[worst] = h->items[at_item];
    h->items[at_item] = swap;
    at_item = worst;
  }
}

static void offer(Heap *h, Candidate c) {
  if (h->count < h->most) {
    int place = h->count++;
    h->items[place] = c;
    for (int parent; place > 0 && better(h->items[parent = (place - 1) / 2], h->items[place]); place = parent) {
      const Candidate swap = h->items[parent];
      h->items[parent] = h->items[place];
      h->items[place] = swap;
    }
  } else if (better(c, h->items[0])) {
    h->items[0] = c;
    sift_down(h, 0);
  }
}

INLINE int allowed(const uint32_t *mask, int id) { return mask[id >> 5] >> (id & 31) & 1; }

// Is one of 16 logits at least `least`?
INLINE int any_reaches(const float *logits, float least) {
  const v128_t a = wasm_f32x4_pmax(load4(logits), load4(logits + 4)), b = wasm_f32x4_pmax(load4(logits + 8), load4(logits + 12));
  return wasm_v128_any_true(wasm_f32x4_ge(wasm_f32x4_pmax(a, b), wasm_f32x4_splat(least)));
}

// Candidates of ids [begin, end); begin is a multiple of 32.
static void scan(const float *logits, const uint32_t *mask, int begin, int end, Heap *h) {
  for (int word = begin; word < end; word += 32) {
    const uint32_t bits = mask[word >> 5];
    if (bits == 0) continue;
    const int stop = min_int(word + 32, end);
    for (int id = word; id < stop; id += 16) {
      if (h->count == h->most && id + 16 <= stop && !any_reaches(logits + id, h->items[0].value)) continue;
      for (int i = id; i < min_int(id + 16, stop); i++)
        if (bits >> (i & 31) & 1 && !(logits[i] == -__builtin_inff())) offer(h, (Candidate){logits[i], i});
    }
  }
}

// Σ e^(logit − max) over allowed ids; max is finite.
static double sum_exp(const float *logits, const uint32_t *mask, int begin, int end, float max) {
  double total = 0;
  v128_t sums[2] = {wasm_f32x4_splat(0), wasm_f32x4_splat(0)};
  for (int word = begin; word < end; word += 32) {
    const uint32_t bits = mask[word >> 5];
    if (bits == 0) continue;
    const int stop = min_int(word + 32, end);
    if (bits == ~0u && stop == word + 32) {
      for (int id = word; id < stop; id += 8) {
        sums[0] = wasm_f32x4_add(sums[0], exp4(wasm_f32x4_sub(load4(logits + id), wasm_f32x4_splat(max))));
        sums[1] = wasm_f32x4_add(sums[1], exp4(wasm_f32x4_sub(load4(logits + id + 4), wasm_f32x4_splat(max))));
      }
    } else {
      for (int id = word; id < stop; id++)
        if (allowed(mask, id)) total += exp1(logits[id] - max);
    }
    if ((word & 1023) != 992 && word + 32 < end) continue;  // 32 words at a time stay in f32
    total += sum4(wasm_f32x4_add(sums[0], sums[1]));
    sums[0] = sums[1] = wasm_f32x4_splat(0);
  }
  return total + sum4(wasm_f32x4_add(sums[0], sums[1]));
}

// Puts the adjusted values of the ids in [begin, end) into the logits; `saved` f32 [most] takes the original ones.
static void adjust(float *logits, const int32_t *ids, const float *values, int count, int begin, int end, float *saved) {
  for (int i = 0; i < count; i++) {
    if (ids[i] < begin || ids[i] >= end) continue;
    const float l = logits[ids[i]], biased = l + values[3 * i];
    saved[i] = l;
    logits[ids[i]] = (biased > 0 ? biased / values[3 * i + 1] : biased * values[3 * i + 1]) + values[3 * i + 2];
  }
}

static void restore(float *logits, const int32_t *ids, int count, int begin, int end, const float *saved) {
  for (int i = count - 1; i >= 0; i--)  // backwards: of an id that is there twice, the first has the original
    if (ids[i] >= begin && ids[i] < end) logits[ids[i]] = saved[i];
}

// Per thread: how many candidates, and its Σ exp; then the candidates.
typedef struct {
  int32_t count;
  float max;
  double sum;
} Found;

// words: rows, logits, mask, adjust ids, adjust values, most adjustments, ids, values, log Σ exp, vocab, count, scratch
// scratch: saved f32 [most adjustments], then per thread Found and Candidate [count]
void step_top_k(const Worker *w, Words words) {
  const Control *c = w->control;
  const int rows = count_of(c, words[0]), vocab = words[9], count = words[10], adjusted = min_int(c->adjusted, words[5]);
  const uint32_t *mask = (const uint32_t *)at(words[2]);
  const int32_t *adjust_ids = (const int32_t *)at(words[3]);
  float *saved = at(words[11]);
  uint8_t *threads = (uint8_t *)(saved + ((words[5] + 3) & ~3));
  const size_t stride = sizeof(Found) + sizeof(Candidate) * (size_t)count;
  Found *own = (Found *)(threads + stride * w->thread);
  int begin, end;
  share((vocab + 31) / 32, w->thread, w->threads, &begin, &end);
  begin *= 32;
  end = min_int(end * 32, vocab);

  for (int row = 0; row < rows; row++) {
    float *logits = at(words[1]) + (size_t)row * vocab;
    adjust(logits, adjust_ids, at(words[4]), adjusted, begin, end, saved);
    Heap h = {(Candidate *)(own + 1), 0, count};
    scan(logits, mask, begin, end, &h);
    float max = -__builtin_inff();
    for (int i = 0; i < h.count; i++) max = h.items[i].value > max ? h.items[i].value : max;
    own->count = h.count;
    own->max = max;
    own->sum = h.count == 0 ? 0 : sum_exp(logits, mask, begin, end, max);
    restore(logits, adjust_ids, adjusted, begin, end, saved);
    barrier(w->control);
    if (w->thread == 0) {
      for (int t = 1; t < w->threads; t++) {
        const Found *other = (const Found *)(threads + stride * t);
        const Candidate *items = (const Candidate *)(other + 1);
        for (int i = 0; i < other->count; i++) offer(&h, items[i]);
        max = other->max > max ? other->max : max;
      }
      double sum = 0;
      for (int t = 0; t < w->threads; t++) {
        const Found *part = (const Found *)(threads + stride * t);
        if (part->count > 0) sum += part->sum * exp1(part->max - max);
      }
      // NaN stays NaN: the host refuses it
      at(words[8])[row] = sum > 0 ? (float)(max + log1(sum)) : sum == 0 ? -__builtin_inff() : __builtin_nanf("");
      int32_t *ids = (int32_t *)at(words[6]) + (size_t)row * count;
      float *values = at(words[7]) + (size_t)row * count;
      for (int i = h.count; i < count; i++) {
        ids[i] = -1;
        values[i] = -__builtin_inff();
      }
      while (h.count > 0) {  // the worst goes last
        ids[h.count - 1] = h.items[0].id;
        values[h.count - 1] = h.items[0].value;
        h.items[0] = h.items[--h.count];
        sift_down(&h, 0);
      }
    }
    barrier(w->control);
  }
}
