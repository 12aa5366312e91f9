// What the environment asks of the emulator.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace emulator {

enum class Order { forward, reverse, random };

/** The count-th call of a function answers `code`, once. */
struct PlannedFailure {
    std::string function;
    int count;
    int code;
};

struct Options {
    /** FACET_EMULATED_ORDER=forward|reverse|random:SEED: of threads and of blocks. */
    Order order = Order::forward;
    std::uint64_t seed = 1;
    /** FACET_EMULATED_CHECK=1: races in shared memory, and global accesses outside of allocations. Slower. */
    bool checkRaces = false;
    /** FACET_EMULATED_LAZY=1: nothing runs before somebody waits or asks, so that missing waits show. */
    bool lazy = false;
    /** FACET_EMULATED_MEMORY=bytes */
    std::size_t memoryBytes = std::size_t{8} << 30;
    /** FACET_EMULATED_CAPABILITY=8.0 */
    int capabilityMajor = 8, capabilityMinor = 0;
    /** FACET_EMULATED_DRIVER=12040 */
    int driverVersion = 12040;
    /** FACET_EMULATED_DEVICES=n */
    int devices = 1;
    /** FACET_EMULATED_FAIL=function:count:code, several with commas between them */
    std::vector<PlannedFailure> failures;

    /** Read at cuInit. Ends the process when one of them makes no sense. */
    static Options fromEnvironment();
};

}  // namespace emulator
