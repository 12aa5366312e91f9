// Steps that move rows.
#include "steps.h"
#include "vector-math.h"

static void copy(float *to, const float *from, int width) { __builtin_memcpy(to, from, (size_t)width * 4); }

// words: rows, ids, table (layout, rows, width, data), out, scale
void step_embed(const Worker *w, Words words) {
  const int32_t *ids = (const int32_t *)at(words[1]);
  const Matrix table = {words[2], words[3], words[4], (const uint8_t *)at(words[5])};
  float *out = at(words[6]);
  const float scale = as_float(words[7]);
  int begin, end;
  share(count_of(w->control, words[0]), w->thread, w->threads, &begin, &end);
  for (int r = begin; r < end; r++) {
    float *row = out + (size_t)r * table.width;
    matrix_row(&table, ids[r] >= 0 && ids[r] < table.rows ? ids[r] : 0, row);
    for (int i = 0; i < table.width; i++) row[i] *= scale;
  }
}

// words: rows, source, index, out, width
void step_place_rows(const Worker *w, Words words) {
  const float *source = at(words[1]);
  const int32_t *index = (const int32_t *)at(words[2]);
  float *out = at(words[3]);
  const int width = words[4];
  int begin, end;
  share(count_of(w->control, words[0]), w->thread, w->threads, &begin, &end);
  for (int r = begin; r < end; r++)
    if (index[r] >= 0) copy(out + (size_t)r * width, source + (size_t)index[r] * width, width);
}

// words: rows, x, index, out, width
void step_take_rows(const Worker *w, Words words) {
  const float *x = at(words[1]);
  const int32_t *index = (const int32_t *)at(words[2]);
  float *out = at(words[3]);
  const int width = words[4];
  int begin, end;
  share(count_of(w->control, words[0]), w->thread, w->threads, &begin, &end);
  for (int r = begin; r < end; r++) copy(out + (size_t)r * width, x + (size_t)index[r] * width, width);
}

// words: x, out, width, side, size
void step_avg_pool(const Worker *w, Words words) {
  const float *x = at(words[0]);
  float *out = at(words[1]);
  const int width = words[2], side = words[3], size = words[4], out_side = side / size;
  int begin, end;
  share(out_side * out_side, w->thread, w->threads, &begin, &end);
  for (int r = begin; r < end; r++) {
    const int top = r / out_side * size, left = r % out_side * size;
    for (int i = 0; i < width; i++) {
      float sum = 0;
      for (int y = 0; y < size; y++)
        for (int z = 0; z < size; z++) sum += x[(size_t)((top + y) * side + left + z) * width + i];
      out[(size_t)r * width + i] = sum / (float)(size * size);
    }
  }
}
