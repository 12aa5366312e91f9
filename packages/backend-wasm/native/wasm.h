// What the kernels share: types, loop helpers, exports. Freestanding C for wasm32, no libc.
#pragma once
#include <stdint.h>
#include <stddef.h>
#include <wasm_simd128.h>

#define EXPORT(name) __attribute__((export_name(#name)))
// A function of its own: V8 gives a short one all registers, and replaces its first, slow code at the next call (a loop keeps what it began with).
#define NOINLINE __attribute__((noinline))
#define INLINE static inline __attribute__((always_inline))

INLINE int min_int(int a, int b) { return a < b ? a : b; }
INLINE int max_int(int a, int b) { return a > b ? a : b; }

// This thread's share [*begin, *end) of `count` items.
INLINE void share(int count, int thread, int threads, int *begin, int *end) {
  *begin = (int)((int64_t)count * thread / threads);
  *end = (int)((int64_t)count * (thread + 1) / threads);
}
