#include "control.h"

#if SHARED
// About 30 µs: longer than a barrier between balanced shares, shorter than a time slice. A core may be stolen: then we park.
#define SPINS 4000

void barrier(Control *c) {
  if (c->threads == 1) return;
  const int32_t generation = __atomic_load_n(&c->generation, __ATOMIC_SEQ_CST);
  if (__atomic_add_fetch(&c->arrived, 1, __ATOMIC_SEQ_CST) == c->threads) {
    __atomic_store_n(&c->arrived, 0, __ATOMIC_SEQ_CST);
    __atomic_store_n(&c->generation, generation + 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&c->sleepers, __ATOMIC_SEQ_CST) > 0) __builtin_wasm_memory_atomic_notify((int *)&c->generation, ~0u);
    return;
  }
  for (int spin = 0; spin < SPINS; spin++) {
    if (__atomic_load_n(&c->generation, __ATOMIC_RELAXED) != generation) {
      __atomic_thread_fence(__ATOMIC_SEQ_CST);
      return;
    }
  }
  __atomic_add_fetch(&c->sleepers, 1, __ATOMIC_SEQ_CST);
  while (__atomic_load_n(&c->generation, __ATOMIC_SEQ_CST) == generation) __builtin_wasm_memory_atomic_wait32((int *)&c->generation, generation, -1);
  __atomic_sub_fetch(&c->sleepers, 1, __ATOMIC_SEQ_CST);
}
#else
void barrier(Control *c) { (void)c; }
#endif
