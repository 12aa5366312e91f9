// Device and page-locked host memory: every allocation between guard pages, filled with NaN, kept unusable for a while when it is freed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <string>

#include "short-text.h"

namespace emulator {

class GuardedMemory {
public:
    /** Null when `limit` bytes would be exceeded. */
    char* allocate(std::size_t bytes, std::size_t limit);
    /** False when nothing was allocated at `start`. */
    bool release(const void* start);
    void releaseAll() {
        while (!live.empty()) release(live.begin()->second.start);
    }
    /** True when all bytes belong to one allocation. */
    bool contains(const void* from, std::size_t bytes) const;
    /** Says where an address lies: for messages. */
    ShortText describe(const void* address) const;
    /** What was written where nothing was allocated; empty when all is well. */
    std::string damage() const;

    std::size_t count() const { return live.size(); }
    std::size_t used() const { return usedBytes; }

private:
    struct Allocation {
        char* start;
        std::size_t bytes;
        char* mapping;
        std::size_t mappingBytes;
    };
    const Allocation* before(const void* address) const;

    std::map<std::uintptr_t, Allocation> live;
    std::deque<Allocation> freed;
    std::size_t usedBytes = 0;
};

extern GuardedMemory deviceMemory, hostMemory;

}  // namespace emulator
