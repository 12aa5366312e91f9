// What the lanes of a warp do together.
#pragma once

#include <bit>
#include <concepts>

#include "multiprocessor.h"

namespace emulator {

template <typename T>
concept Word = std::same_as<T, float> || std::same_as<T, int> || std::same_as<T, unsigned>;

struct Shuffle {
    unsigned value;
    unsigned source;
};

void shuffle(Shuffle& own, unsigned mask, const char* operation, Place place);
unsigned ballot(unsigned mask, bool vote, Place place);
void syncWarp(unsigned mask, Place place);

template <Word T>
T shuffle(T value, unsigned source, unsigned mask, const char* operation, Place place) {
    Shuffle own{std::bit_cast<unsigned>(value), source};
    shuffle(own, mask, operation, place);
    return std::bit_cast<T>(own.value);
}

}  // namespace emulator

inline void __syncthreads(emulator::Place place = emulator::Place::here()) { emulator::multiprocessor.syncThreads(place); }

inline void __syncwarp(unsigned mask = ~0u, emulator::Place place = emulator::Place::here()) { emulator::syncWarp(mask, place); }

template <emulator::Word T>
T __shfl_sync(unsigned mask, T value, int lane, emulator::Place place = emulator::Place::here()) {
    return emulator::shuffle(value, static_cast<unsigned>(lane) % emulator::warpLanes, mask, "__shfl_sync", place);
}

template <emulator::Word T>
T __shfl_xor_sync(unsigned mask, T value, int lanes, emulator::Place place = emulator::Place::here()) {
    const unsigned own = emulator::multiprocessor.current->lane(), source = own ^ static_cast<unsigned>(lanes);
    return emulator::shuffle(value, source < emulator::warpLanes ? source : own, mask, "__shfl_xor_sync", place);
}

/** The last lanes keep their own value. */
template <emulator::Word T>
T __shfl_down_sync(unsigned mask, T value, unsigned lanes, emulator::Place place = emulator::Place::here()) {
    const unsigned own = emulator::multiprocessor.current->lane(), source = own + lanes;
    return emulator::shuffle(value, source < emulator::warpLanes ? source : own, mask, "__shfl_down_sync", place);
}

inline unsigned __ballot_sync(unsigned mask, int vote, emulator::Place place = emulator::Place::here()) { return emulator::ballot(mask, vote != 0, place); }
