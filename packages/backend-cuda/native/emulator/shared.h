// Shared memory behind a proxy that sees every read and write.
#pragma once

#include <cstdint>
#include <cstring>

#include "multiprocessor.h"

namespace emulator {

/** When and by whom; two accesses in the same interval between barriers have no order. */
struct Access {
    std::uint32_t barrierEpoch, warpEpoch;
    unsigned thread;
};

/** Who used a word last. Two readers are enough to find any later writer that conflicts with one of all readers. */
struct Shadow {
    Access write, reads[2];
    bool atomic;
    /** The block (`blockEpoch`) in which a copy to here was not waited for yet. */
    std::uint32_t pendingBlock;
};

struct SharedArray {
    const char* name;
    std::size_t elementBytes;
    unsigned count;
    std::uint32_t blockEpoch = 0;
    char* data = nullptr;
    Shadow* shadow = nullptr;

    void prepareShadow();
    void noteRead(const void* at, std::size_t bytes);
    void noteWrite(const void* at, std::size_t bytes, bool atomic = false);
    void setPending(const void* at, std::size_t bytes, bool pending);
    [[noreturn]] void failIndex(const void* view, std::int64_t index, unsigned viewCount) const;
    [[noreturn]] void failAlignment(const void* at, std::size_t bytes) const;

private:
    std::size_t cellBytes() const { return elementBytes < 4 ? elementBytes : 4; }
    template <typename Visit>
    void visit(const void* at, std::size_t bytes, Visit visit);
    [[noreturn]] void failRace(const void* at, const char* does, const Access& other, const char* did) const;
};

template <typename T>
class SharedReference {
public:
    SharedReference(SharedArray& array, T* at) : array(array), at(at) {}
    SharedReference(const SharedReference&) = default;

    operator T() const {
        if (multiprocessor.checkRaces) array.noteRead(at, sizeof(T));
        return *at;
    }
    T operator=(T value) const {
        if (multiprocessor.checkRaces) array.noteWrite(at, sizeof(T));
        return *at = value;
    }
    T operator=(const SharedReference& other) const { return *this = static_cast<T>(other); }
    T operator+=(T value) const { return *this = static_cast<T>(static_cast<T>(*this) + value); }
    T operator-=(T value) const { return *this = static_cast<T>(static_cast<T>(*this) - value); }
    T operator*=(T value) const { return *this = static_cast<T>(static_cast<T>(*this) * value); }
    T operator/=(T value) const { return *this = static_cast<T>(static_cast<T>(*this) / value); }
    T operator|=(T value) const { return *this = static_cast<T>(static_cast<T>(*this) | value); }
    /** For atomic functions only. */
    SharedReference operator&() const { return *this; }

    template <typename Update>
    T update(Update update) const {
        if (multiprocessor.checkRaces) array.noteWrite(at, sizeof(T), true);
        const T before = *at;
        *at = update(before);
        return before;
    }

private:
    SharedArray& array;
    T* at;
};

}  // namespace emulator

/** Part of an array in shared memory, from some element on. */
template <typename T>
class Shared {
public:
    explicit Shared(emulator::SharedArray& array) : array(&array), count(array.count) {
        if (array.blockEpoch != emulator::multiprocessor.blockEpoch) emulator::multiprocessor.allocateShared(array);
        data = reinterpret_cast<T*>(array.data);
    }

    emulator::SharedReference<T> operator[](std::int64_t index) const { return {*array, element(index, 1)}; }

    Shared at(std::int64_t index) const {
        if (index < 0 || index > count) array->failIndex(data, index, count);
        Shared part = *this;
        part.data += index;
        part.count -= static_cast<unsigned>(index);
        return part;
    }

    /** The address of `elements` elements, which must be inside. */
    T* element(std::int64_t index, unsigned elements) const {
        if (index < 0 || index + elements > count) [[unlikely]] array->failIndex(data, index, count);
        return data + index;
    }
    template <typename Vec>
    T* vector(std::int64_t index) const {
        static_assert(sizeof(Vec) % sizeof(T) == 0);
        T* from = element(index, sizeof(Vec) / sizeof(T));
        if (reinterpret_cast<std::uintptr_t>(from) % sizeof(Vec)) [[unlikely]] array->failAlignment(from, sizeof(Vec));
        return from;
    }

    emulator::SharedArray* array;

private:
    T* data;
    unsigned count;
};

#define GPU_SHARED(T, name, count)                                              \
    static constinit ::emulator::SharedArray name##Array{#name, sizeof(T), count}; \
    const ::Shared<T> name(name##Array)

template <typename Vec, typename T>
Vec loadShared(Shared<T> from, std::int64_t index) {
    const T* at = from.template vector<Vec>(index);
    if (emulator::multiprocessor.checkRaces) from.array->noteRead(at, sizeof(Vec));
    Vec value;
    std::memcpy(&value, at, sizeof(Vec));
    return value;
}

template <typename Vec, typename T>
void storeShared(Shared<T> to, std::int64_t index, Vec value) {
    T* at = to.template vector<Vec>(index);
    if (emulator::multiprocessor.checkRaces) to.array->noteWrite(at, sizeof(Vec));
    std::memcpy(at, &value, sizeof(Vec));
}
