// Global memory: plain pointers, and the accesses that say how wide they are.
#pragma once

#include <cstdint>

#include "numbers.h"
#include "shared.h"

namespace emulator {

/** Fails the launch when the address is not aligned or, where everything is checked, not allocated. */
void checkGlobal(const void* address, std::size_t bytes, const char* does, Place place);

inline void quickCheckGlobal(const void* address, std::size_t bytes, const char* does, Place place) {
    if (reinterpret_cast<std::uintptr_t>(address) % bytes || multiprocessor.checkRaces) [[unlikely]] checkGlobal(address, bytes, does, place);
}

void copyAsync16(SharedArray& array, char* to, const void* from, bool valid, Place place);
void waitForCopies(unsigned pendingGroups);

}  // namespace emulator

template <typename T>
T loadGlobal(const T* from, emulator::Place place = emulator::Place::here()) {
    emulator::quickCheckGlobal(from, sizeof(T), "reads", place);
    return *from;
}

template <typename T>
void storeGlobal(T* to, T value, emulator::Place place = emulator::Place::here()) {
    emulator::quickCheckGlobal(to, sizeof(T), "writes", place);
    *to = value;
}

inline void __threadfence() {}

template <typename T>
T atomicAdd(T* to, T value, emulator::Place place = emulator::Place::here()) {
    emulator::quickCheckGlobal(to, sizeof(T), "adds to", place);
    const T before = *to;
    *to = emulator::wrappingAdd(before, value);
    return before;
}
template <typename T>
T atomicMax(T* to, T value, emulator::Place place = emulator::Place::here()) {
    emulator::quickCheckGlobal(to, sizeof(T), "takes the greater of", place);
    const T before = *to;
    if (value > before) *to = value;
    return before;
}
template <typename T>
T atomicAdd(emulator::SharedReference<T> to, T value) {
    return to.update([&](T before) { return emulator::wrappingAdd(before, value); });
}
template <typename T>
T atomicMax(emulator::SharedReference<T> to, T value) {
    return to.update([&](T before) { return value > before ? value : before; });
}

/** Begins to copy 16 bytes, or zeros unless `valid`; they are there once the thread has waited, for others after a barrier more. */
template <typename T>
void copyAsync16(Shared<T> to, int index, const T* from, bool valid, emulator::Place place = emulator::Place::here()) {
    emulator::copyAsync16(*to.array, reinterpret_cast<char*>(to.template vector<uint4>(index)), from, valid, place);
}
/** Makes a group of the thread's copies since the last commit. */
inline void copyAsyncCommit() { emulator::multiprocessor.current->copyGroups++; }
/** Waits until all but the last N groups are there. */
template <int N>
void copyAsyncWait() {
    emulator::waitForCopies(N);
}
