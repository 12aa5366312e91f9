// One block at a time: its threads as fibers, what they wait for, and the faults they make.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fiber.h"
#include "kernel.h"
#include "options.h"
#include "place.h"
#include "short-text.h"
#include "vectors.h"

// Hidden, so that no access goes through a table of addresses.
#pragma GCC visibility push(hidden)

/** Of the thread that runs, as in CUDA. */
extern uint3 threadIdx, blockIdx, blockDim, gridDim;

namespace emulator {

/** The driver's codes for what a kernel can do wrong. */
enum FaultCode { illegalAddress = 700, misalignedAddress = 716, launchFailed = 719 };

constexpr unsigned warpLanes = 32, maxBlockThreads = 1024, sharedBytes = 48 * 1024;

/** Bytes on their way into shared memory; `group` counts the thread's commits before it. */
struct PendingCopy {
    struct SharedArray* array;
    char* to;
    unsigned group;
    char bytes[16];
};

struct Thread {
    Context context;
    uint3 index{};
    unsigned number = 0;
    /** The last barrier or warp operation that it came to. */
    Place place;
    std::vector<PendingCopy> copies;
    unsigned copyGroups = 0;

    unsigned warp() const { return number / warpLanes; }
    unsigned lane() const { return number % warpLanes; }
};

/** Ends an exchange: gives each lane that took part (`arrived`) its result through its own payload. */
using ExchangeEnd = void (*)(void* const (&payloads)[warpLanes], unsigned arrived);

struct Warp {
    unsigned live = 0, ready = 0, arrived = 0;
    /** How often `__syncwarp` was passed. */
    unsigned epoch = 0;
    ExchangeEnd end = nullptr;
    const char* operation = "";
    Place place;
    void* payloads[warpLanes] = {};
};

struct Launch {
    const Kernel* kernel;
    const void* arguments;
    uint3 grid, block;
};

struct Fault {
    int code = 0;
    std::string message;
};

class Multiprocessor {
public:
    /** Runs all blocks; false when a thread did something wrong, which `lastFault` then tells. */
    bool run(const Launch& launch, const Options& options);
    const Fault& lastFault() const { return fault; }

    void syncThreads(Place place);
    /** Waits for the other live lanes of the warp to come to the same place; the last one calls `end`. */
    void exchange(const char* operation, void* payload, ExchangeEnd end, Place place);

    /** The block's shared memory for `array`; the first thread that asks allocates it. */
    void allocateShared(struct SharedArray& array);

    /** Ends the launch, saying what `current` did. */
    [[noreturn]] void fail(FaultCode code, const char* format, ...) __attribute__((format(printf, 3, 4)));
    void failFromSignal(int signal, void* address, bool writes, void* signalContext);

    /** Counts blocks over all launches, so that what was noted in an earlier one is known to be old. */
    std::uint32_t blockEpoch = 0;
    /** Counts barriers and blocks over all launches. */
    std::uint32_t barrierEpoch = 0;
    Warp& warp() { return warps[current->warp()]; }

    Thread* current = nullptr;
    const Kernel* kernel = nullptr;
    bool checkRaces = false;
    int capability = 80;
    static ShortText describe(const Thread& thread);
    const Thread& thread(unsigned number) const { return threads[number]; }

private:
    void runBlock();
    Thread* pick();
    void yield();
    void makeCurrent(Thread* thread);
    void endExchange(Warp& warp);
    void setReady(unsigned warp, unsigned lanes);
    void clearReady();
    Thread* endThread();
    [[noreturn]] void failDeadlocked();
    void record(FaultCode code, const char* message);
    static void threadEntry();
    std::uint64_t random();

    Context main;
    StackPool stacks;
    std::vector<Thread> threads;
    Warp warps[maxBlockThreads / warpLanes];
    unsigned readyWarps = 0;
    unsigned live = 0, waiting = 0;
    Thread* firstWaiting = nullptr;
    Thread* exited = nullptr;
    const void* arguments = nullptr;
    Order order = Order::forward;
    std::uint64_t randomState = 0, seed = ~std::uint64_t{0};
    std::uint32_t sharedUsed = 0;
    Fault fault;
    alignas(128) char shared[sharedBytes];
};

extern Multiprocessor multiprocessor;

}  // namespace emulator

#pragma GCC visibility pop
