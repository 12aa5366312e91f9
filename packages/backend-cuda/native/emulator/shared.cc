#include "shared.h"

namespace emulator {

namespace {

Access now() { return {multiprocessor.barrierEpoch, multiprocessor.warp().epoch, multiprocessor.current->number}; }

/** True when `before` happened before `after` for certain. */
bool ordered(const Access& before, const Access& after) {
    if (before.barrierEpoch != after.barrierEpoch || before.thread == after.thread) return true;
    return before.thread / warpLanes == after.thread / warpLanes && before.warpEpoch != after.warpEpoch;
}

void addReader(Access (&reads)[2], const Access& reader) {
    for (Access& read : reads) {
        if (!ordered(read, reader)) continue;
        read = reader;
        return;
    }
    // Readers of two warps conflict with every writer; two of one warp may be in order with a later writer of that warp.
    if (reads[0].thread / warpLanes == reads[1].thread / warpLanes) reads[1] = reader;
}

}  // namespace

void SharedArray::prepareShadow() {
    if (!shadow) shadow = new Shadow[elementBytes * count / cellBytes()]();
}

template <typename Visit>
void SharedArray::visit(const void* at, std::size_t bytes, Visit visit) {
    const auto offset = static_cast<std::size_t>(static_cast<const char*>(at) - data);
    for (std::size_t i = offset / cellBytes(); i * cellBytes() < offset + bytes; i++) visit(shadow[i]);
}

void SharedArray::noteRead(const void* at, std::size_t bytes) {
    const Access access = now();
    visit(at, bytes, [&](Shadow& cell) {
        if (cell.pendingBlock == blockEpoch) failRace(at, "reads", cell.write, "began to copy to, and has not waited for");
        if (!ordered(cell.write, access)) failRace(at, "reads", cell.write, "wrote");
        addReader(cell.reads, access);
    });
}

void SharedArray::noteWrite(const void* at, std::size_t bytes, bool atomic) {
    const Access access = now();
    visit(at, bytes, [&](Shadow& cell) {
        if (cell.pendingBlock == blockEpoch) failRace(at, "writes", cell.write, "began to copy to, and has not waited for");
        if (!(atomic && cell.atomic) && !ordered(cell.write, access)) failRace(at, "writes", cell.write, "wrote");
        for (const Access& read : cell.reads)
            if (!ordered(read, access)) failRace(at, "writes", read, "read");
        cell.write = access;
        cell.atomic = atomic;
    });
}

void SharedArray::setPending(const void* at, std::size_t bytes, bool pending) {
    visit(at, bytes, [&](Shadow& cell) { cell.pendingBlock = pending ? blockEpoch : 0; });
}

void SharedArray::failRace(const void* at, const char* does, const Access& other, const char* did) const {
    const Thread& self = *multiprocessor.current;
    const ShortText passed = self.place.line ? ShortText("last %s:%d", self.place.file, self.place.line) : ShortText("none yet");
    multiprocessor.fail(launchFailed, "%s %s[%zu], which thread %s %s with no barrier between them (of barriers and warp operations, this thread passed %s)", does, name,
                        static_cast<std::size_t>(static_cast<const char*>(at) - data) / elementBytes,
                        multiprocessor.describe(multiprocessor.thread(other.thread)).c_str(), did, passed.c_str());
}

void SharedArray::failIndex(const void* view, std::int64_t index, unsigned viewCount) const {
    const auto from = static_cast<std::size_t>(static_cast<const char*>(view) - data) / elementBytes;
    multiprocessor.fail(illegalAddress, "uses element %lld of %s[%u], from element %zu of %s[%u] on", static_cast<long long>(index), name, viewCount, from,
                        name, count);
}

void SharedArray::failAlignment(const void* at, std::size_t bytes) const {
    multiprocessor.fail(misalignedAddress, "uses %zu bytes at once at element %zu of %s, which is not at a multiple of %zu bytes", bytes,
                        static_cast<std::size_t>(static_cast<const char*>(at) - data) / elementBytes, name, bytes);
}

}  // namespace emulator
