#include "memory.h"

#include <sys/mman.h>

#include <cstdio>
#include <cstring>

#include "sanitizers.h"

namespace emulator {

GuardedMemory deviceMemory, hostMemory;

namespace {

constexpr std::size_t pageBytes = 4096, alignment = 256, keptFreed = 64;
constexpr unsigned char canary = 0xA5;

std::size_t roundUp(std::size_t bytes, std::size_t to) { return (bytes + to - 1) / to * to; }

}  // namespace

// [guard page | rest of a page, `alignment` bytes of it canaries | the allocation | canaries up to `alignment` | guard page]
char* GuardedMemory::allocate(std::size_t bytes, std::size_t limit) {
    if (bytes > limit || usedBytes > limit - bytes) return nullptr;
    const std::size_t aligned = roundUp(bytes, alignment), inside = roundUp(aligned + alignment, pageBytes), mappingBytes = inside + 2 * pageBytes;
    void* mapped = mmap(nullptr, mappingBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped == MAP_FAILED) return nullptr;
    auto* mapping = static_cast<char*>(mapped);
    char* end = mapping + pageBytes + inside;
    char* start = end - aligned;
    if (mprotect(mapping + pageBytes, inside, PROT_READ | PROT_WRITE) != 0) {
        munmap(mapping, mappingBytes);
        return nullptr;
    }
    unpoison(mapping, mappingBytes);
    std::memset(start - alignment, canary, alignment);
    std::memset(start, 0xFF, bytes);
    std::memset(start + bytes, canary, aligned - bytes);
    poison(mapping + pageBytes, static_cast<std::size_t>(start - mapping) - pageBytes);
    poison(start + bytes, aligned - bytes);
    live[reinterpret_cast<std::uintptr_t>(start)] = {start, bytes, mapping, mappingBytes};
    usedBytes += bytes;
    return start;
}

bool GuardedMemory::release(const void* start) {
    const auto found = live.find(reinterpret_cast<std::uintptr_t>(start));
    if (found == live.end()) return false;
    const Allocation allocation = found->second;
    live.erase(found);
    usedBytes -= allocation.bytes;
    // Gives the pages back and keeps the addresses, so that whoever uses them still is found out.
    mmap(allocation.mapping, allocation.mappingBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    unpoison(allocation.mapping, allocation.mappingBytes);
    freed.push_back(allocation);
    if (freed.size() > keptFreed) {
        munmap(freed.front().mapping, freed.front().mappingBytes);
        freed.pop_front();
    }
    return true;
}

const GuardedMemory::Allocation* GuardedMemory::before(const void* address) const {
    auto found = live.upper_bound(reinterpret_cast<std::uintptr_t>(address));
    return found == live.begin() ? nullptr : &std::prev(found)->second;
}

bool GuardedMemory::contains(const void* from, std::size_t bytes) const {
    const Allocation* allocation = before(from);
    if (!allocation) return false;
    const auto offset = static_cast<std::size_t>(static_cast<const char*>(from) - allocation->start);
    return offset <= allocation->bytes && bytes <= allocation->bytes - offset;
}

ShortText GuardedMemory::describe(const void* address) const {
    const auto at = reinterpret_cast<std::uintptr_t>(address);
    if (const Allocation* allocation = before(address)) {
        const std::size_t offset = at - reinterpret_cast<std::uintptr_t>(allocation->start);
        if (offset < allocation->bytes) return ShortText("byte %zu of an allocation of %zu bytes", offset, allocation->bytes);
        if (address < allocation->mapping + allocation->mappingBytes)
            return ShortText("%zu bytes behind the end of an allocation of %zu bytes", offset - allocation->bytes, allocation->bytes);
    }
    if (const auto next = live.upper_bound(at); next != live.end() && address >= next->second.mapping)
        return ShortText("%zu bytes before an allocation of %zu bytes", static_cast<std::size_t>(next->first - at), next->second.bytes);
    for (const Allocation& allocation : freed)
        if (address >= allocation.mapping && address < allocation.mapping + allocation.mappingBytes)
            return ShortText("in an allocation of %zu bytes that was freed", allocation.bytes);
    return ShortText("outside of all allocations");
}

std::string GuardedMemory::damage() const {
    if constexpr (sanitized) return "";
    for (const auto& [start, allocation] : live) {
        const auto* bytes = reinterpret_cast<const unsigned char*>(allocation.start);
        const auto size = static_cast<std::ptrdiff_t>(allocation.bytes);
        const auto last = static_cast<std::ptrdiff_t>(roundUp(allocation.bytes, alignment));
        for (std::ptrdiff_t i = -static_cast<std::ptrdiff_t>(alignment); i < last; i++) {
            if (i == 0) i = size;
            if (i < last && bytes[i] != canary) return "something wrote to memory " + std::string(describe(bytes + i).c_str());
        }
    }
    return "";
}

}  // namespace emulator
