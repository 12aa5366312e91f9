// Attention of many rows at once: attention-tiles.c.
#pragma once
#include "steps.h"

// From so many rows on, packing keys and values pays.
#define TILED_ROWS 16

typedef struct {
  const float *q;  // f32 [rows, q_heads · head_dim]
  const float *k, *v;  // f32 [capacity, kv_heads · head_dim]
  const int32_t *begins, *ends;  // [rows]
  float *out;  // as q
  int rows, head_dim, q_heads, kv_heads, capacity;
  float scale;
  int fast;
  uint8_t *scratch;  // attention_bytes
} Attention;

uint32_t attention_bytes(int fast, int head_dim, int kv_heads, int capacity, int threads);
// This thread's share, with a barrier inside. Returns 0, having done nothing, where the rows see more keys than there are slots.
int attend_in_tiles(const Worker *w, const Attention *a);
