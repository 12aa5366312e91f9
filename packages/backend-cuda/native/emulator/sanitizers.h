// What AddressSanitizer must be told; nothing without it.
#pragma once

#include <cstddef>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define EMULATOR_ASAN 1
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#endif

namespace emulator {

#ifdef EMULATOR_ASAN
constexpr bool sanitized = true;
inline void startSwitch(void** save, const void* bottom, std::size_t bytes) { __sanitizer_start_switch_fiber(save, bottom, bytes); }
inline void finishSwitch(void* fakeStack) { __sanitizer_finish_switch_fiber(fakeStack, nullptr, nullptr); }
inline void poison(const void* from, std::size_t bytes) { __asan_poison_memory_region(from, bytes); }
inline void unpoison(const void* from, std::size_t bytes) { __asan_unpoison_memory_region(from, bytes); }
#else
constexpr bool sanitized = false;
inline void startSwitch(void**, const void*, std::size_t) {}
inline void finishSwitch(void*) {}
inline void poison(const void*, std::size_t) {}
inline void unpoison(const void*, std::size_t) {}
#endif

}  // namespace emulator
