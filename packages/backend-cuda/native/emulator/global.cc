#include "global.h"

#include <algorithm>
#include <cstring>

#include "memory.h"

namespace emulator {

void checkGlobal(const void* address, std::size_t bytes, const char* does, Place place) {
    if (reinterpret_cast<std::uintptr_t>(address) % bytes)
        multiprocessor.fail(misalignedAddress, "%s %zu bytes at %p, which is not at a multiple of %zu (%s:%d)", does, bytes, address, bytes, place.file,
                            place.line);
    if (!deviceMemory.contains(address, bytes))
        multiprocessor.fail(illegalAddress, "%s %zu bytes at %p, %s (%s:%d)", does, bytes, address, deviceMemory.describe(address).c_str(), place.file,
                            place.line);
}

void copyAsync16(SharedArray& array, char* to, const void* from, bool valid, Place place) {
    PendingCopy copy{&array, to, multiprocessor.current->copyGroups, {}};
    if (valid) {
        quickCheckGlobal(from, sizeof copy.bytes, "copies", place);
        std::memcpy(copy.bytes, from, sizeof copy.bytes);
    }
    if (multiprocessor.checkRaces) array.noteWrite(to, sizeof copy.bytes);
    if (multiprocessor.capability < 80) {
        std::memcpy(to, copy.bytes, sizeof copy.bytes);
        return;
    }
    std::memset(to, 0xFF, sizeof copy.bytes);
    if (multiprocessor.checkRaces) array.setPending(to, sizeof copy.bytes, true);
    multiprocessor.current->copies.push_back(copy);
}

void waitForCopies(unsigned pendingGroups) {
    Thread& thread = *multiprocessor.current;
    std::erase_if(thread.copies, [&](const PendingCopy& copy) {
        if (copy.group + pendingGroups >= thread.copyGroups) return false;
        std::memcpy(copy.to, copy.bytes, sizeof copy.bytes);
        if (multiprocessor.checkRaces) {
            copy.array->setPending(copy.to, sizeof copy.bytes, false);
            copy.array->noteWrite(copy.to, sizeof copy.bytes);
        }
        return true;
    });
}

}  // namespace emulator
