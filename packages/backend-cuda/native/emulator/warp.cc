#include "warp.h"

namespace emulator {

namespace {

void checkMask(unsigned mask, const char* operation, Place place) {
    if (mask != ~0u)
        multiprocessor.fail(launchFailed, "uses %s with mask 0x%08x (%s:%d): kernels here use the full mask only", operation, mask, place.file, place.line);
}

struct Ballot {
    bool vote;
    unsigned votes;
};

}  // namespace

void shuffle(Shuffle& own, unsigned mask, const char* operation, Place place) {
    checkMask(mask, operation, place);
    multiprocessor.exchange(
        operation, &own,
        [](void* const(&payloads)[warpLanes], unsigned arrived) {
            unsigned results[warpLanes];
            for (unsigned lane = 0; lane < warpLanes; lane++) {
                if (!(arrived >> lane & 1)) continue;
                const unsigned source = static_cast<const Shuffle*>(payloads[lane])->source;
                if (!(arrived >> source & 1))
                    multiprocessor.fail(launchFailed, "ends %s (%s:%d), in which lane %u reads from lane %u, which has exited or never was",
                                        multiprocessor.warp().operation, multiprocessor.warp().place.file, multiprocessor.warp().place.line, lane, source);
                results[lane] = static_cast<const Shuffle*>(payloads[source])->value;
            }
            for (unsigned lane = 0; lane < warpLanes; lane++)
                if (arrived >> lane & 1) static_cast<Shuffle*>(payloads[lane])->value = results[lane];
        },
        place);
}

unsigned ballot(unsigned mask, bool vote, Place place) {
    checkMask(mask, "__ballot_sync", place);
    Ballot own{vote, 0};
    multiprocessor.exchange(
        "__ballot_sync", &own,
        [](void* const(&payloads)[warpLanes], unsigned arrived) {
            unsigned votes = 0;
            for (unsigned lane = 0; lane < warpLanes; lane++)
                if (arrived >> lane & 1) votes |= static_cast<unsigned>(static_cast<const Ballot*>(payloads[lane])->vote) << lane;
            for (unsigned lane = 0; lane < warpLanes; lane++)
                if (arrived >> lane & 1) static_cast<Ballot*>(payloads[lane])->votes = votes;
        },
        place);
    return own.votes;
}

void syncWarp(unsigned mask, Place place) {
    checkMask(mask, "__syncwarp", place);
    // Of all warp operations, only this one orders memory.
    multiprocessor.exchange("__syncwarp", nullptr, [](void* const(&)[warpLanes], unsigned) { multiprocessor.warp().epoch++; }, place);
}

}  // namespace emulator
