#include "multiprocessor.h"

#include <bit>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <numeric>

#include "memory.h"
#include "sanitizers.h"
#include "shared.h"
#include "signals.h"

uint3 threadIdx, blockIdx, blockDim, gridDim;

namespace emulator {

Multiprocessor multiprocessor;

namespace {

unsigned highestBit(unsigned mask) { return 31 - static_cast<unsigned>(std::countl_zero(mask)); }
unsigned lowestBit(unsigned mask) { return static_cast<unsigned>(std::countr_zero(mask)); }
unsigned nthBit(unsigned mask, unsigned n) {
    while (n--) mask &= mask - 1;
    return lowestBit(mask);
}

}  // namespace

std::uint64_t Multiprocessor::random() {  // xorshift64*
    randomState ^= randomState >> 12;
    randomState ^= randomState << 25;
    randomState ^= randomState >> 27;
    return (randomState * 0x2545F4914F6CDD1Dull) >> 32;
}

bool Multiprocessor::run(const Launch& launch, const Options& options) {
    kernel = launch.kernel;
    arguments = launch.arguments;
    order = options.order;
    checkRaces = options.checkRaces;
    capability = options.capabilityMajor * 10 + options.capabilityMinor;
    if (seed != options.seed) randomState = (seed = options.seed) * 0x9E3779B97F4A7C15ull | 1;
    gridDim = launch.grid;
    blockDim = launch.block;
    main.stack = hostStack();
    fault = {};

    const unsigned count = blockDim.x * blockDim.y * blockDim.z;
    if (threads.size() < count) threads.resize(count);
    for (unsigned i = 0; i < count; i++) {
        threads[i].number = i;
        threads[i].index = {i % blockDim.x, i / blockDim.x % blockDim.y, i / (blockDim.x * blockDim.y)};
    }
    const std::uint64_t blocks = std::uint64_t{gridDim.x} * gridDim.y * gridDim.z;
    // Every block once: i * stride + start, for a stride that shares no factor with the number of blocks.
    std::uint64_t start = 0, stride = 1;
    if (order == Order::reverse) start = blocks - 1, stride = blocks - 1;
    if (order == Order::random) {
        start = random() % blocks;
        do stride = 1 + random() % blocks;
        while (std::gcd(stride, blocks) != 1);
    }
    SignalGuard guard;
    for (std::uint64_t i = 0; i < blocks && fault.code == 0; i++) {
        const std::uint64_t block = (start + i * stride) % blocks;
        blockIdx = {static_cast<unsigned>(block % gridDim.x), static_cast<unsigned>(block / gridDim.x % gridDim.y),
                    static_cast<unsigned>(block / (std::uint64_t{gridDim.x} * gridDim.y))};
        runBlock();
    }
    current = nullptr;
    return fault.code == 0;
}

void Multiprocessor::runBlock() {
    blockEpoch++;
    barrierEpoch++;
    sharedUsed = 0;
    live = blockDim.x * blockDim.y * blockDim.z;
    waiting = 0;
    exited = nullptr;
    readyWarps = 0;
    for (unsigned i = 0; i < live; i++) {
        Thread& thread = threads[i];
        thread.context = {};
        thread.place = {};
        thread.copies.clear();
        thread.copyGroups = 0;
    }
    for (unsigned w = 0; w * warpLanes < live; w++) {
        const unsigned lanes = live - w * warpLanes;
        warps[w].live = lanes >= warpLanes ? ~0u : (1u << lanes) - 1;
        warps[w].ready = warps[w].arrived = 0;
        warps[w].epoch++;
        setReady(w, warps[w].live);
    }
    Thread* first = pick();
    makeCurrent(first);
    beginContext(first->context, stacks.acquire(), &threadEntry);
    switchContext(main, first->context);
    if (!fault.code) return;
    for (Thread& thread : threads) {  // abandoned where they stood
        if (thread.context.stack.bottom) stacks.release(thread.context.stack);
        thread.context = {};
    }
}

void Multiprocessor::makeCurrent(Thread* thread) {
    current = thread;
    threadIdx = thread->index;
}

void Multiprocessor::setReady(unsigned warp, unsigned lanes) {
    warps[warp].ready |= lanes;
    if (warps[warp].ready) readyWarps |= 1u << warp;
}

void Multiprocessor::clearReady() {
    Warp& own = warp();
    own.ready &= ~(1u << current->lane());
    if (!own.ready) readyWarps &= ~(1u << current->warp());
}

Thread* Multiprocessor::pick() {
    if (!readyWarps) return nullptr;
    unsigned w, lane;
    switch (order) {
        case Order::forward:
            w = lowestBit(readyWarps);
            lane = lowestBit(warps[w].ready);
            break;
        case Order::reverse:
            w = highestBit(readyWarps);
            lane = highestBit(warps[w].ready);
            break;
        case Order::random:
            w = nthBit(readyWarps, static_cast<unsigned>(random() % static_cast<unsigned>(std::popcount(readyWarps))));
            lane = nthBit(warps[w].ready, static_cast<unsigned>(random() % static_cast<unsigned>(std::popcount(warps[w].ready))));
            break;
    }
    return &threads[w * warpLanes + lane];
}

void Multiprocessor::yield() {
    Thread* next = pick();
    if (!next) failDeadlocked();
    if (next == current) return;
    Thread* self = current;
    makeCurrent(next);
    if (!next->context.stackPointer) beginContext(next->context, stacks.acquire(), &threadEntry);
    switchContext(self->context, next->context);
}

/** Runs threads on one fiber for as long as they end without waiting. */
void Multiprocessor::threadEntry() {
    Multiprocessor& self = multiprocessor;
    enterContext(self.current->context);
    for (;;) {
        self.kernel->call(self.arguments);
        Thread* ended = self.current;
        Thread* next = self.endThread();
        if (next && !next->context.stackPointer) {
            next->context = ended->context;
            ended->context = {};
            self.makeCurrent(next);
            continue;
        }
        self.stacks.release(ended->context.stack);
        ended->context = {};
        if (next) self.makeCurrent(next);
        leaveContext(next ? next->context : self.main);
    }
}

Thread* Multiprocessor::endThread() {
    Warp& own = warp();
    clearReady();
    own.live &= ~(1u << current->lane());
    live--;
    exited = current;
    if (waiting)
        fail(launchFailed, "exits while thread %s waits at __syncthreads (%s:%d)", describe(*firstWaiting).c_str(), firstWaiting->place.file,
             firstWaiting->place.line);
    if (own.arrived && own.arrived == own.live) endExchange(own);
    if (!live) return nullptr;
    Thread* next = pick();
    if (!next) failDeadlocked();
    return next;
}

void Multiprocessor::syncThreads(Place place) {
    current->place = place;
    if (exited)
        fail(launchFailed, "waits at __syncthreads (%s:%d), but thread %s has exited", place.file, place.line, describe(*exited).c_str());
    if (!waiting) firstWaiting = current;
    if (place != firstWaiting->place)
        fail(launchFailed, "waits at __syncthreads (%s:%d) while thread %s waits at another one (%s:%d)", place.file, place.line,
             describe(*firstWaiting).c_str(), firstWaiting->place.file, firstWaiting->place.line);
    clearReady();
    if (++waiting == live) {
        waiting = 0;
        barrierEpoch++;
        for (unsigned w = 0; w * warpLanes < live; w++) setReady(w, warps[w].live);
    }
    yield();
}

void Multiprocessor::exchange(const char* operation, void* payload, ExchangeEnd end, Place place) {
    Warp& own = warp();
    current->place = place;
    if (!own.arrived) {
        own.end = end;
        own.operation = operation;
        own.place = place;
    } else if (own.end != end || own.place != place) {
        fail(launchFailed, "is at %s (%s:%d) while other lanes of its warp wait at %s (%s:%d)", operation, place.file, place.line, own.operation,
             own.place.file, own.place.line);
    }
    own.payloads[current->lane()] = payload;
    own.arrived |= 1u << current->lane();
    clearReady();
    if (own.arrived == own.live) endExchange(own);
    yield();
}

void Multiprocessor::endExchange(Warp& warp) {
    const unsigned arrived = warp.arrived;
    warp.arrived = 0;
    setReady(static_cast<unsigned>(&warp - warps), arrived);
    warp.end(warp.payloads, arrived);
}

void Multiprocessor::allocateShared(SharedArray& array) {
    const std::uint32_t from = (sharedUsed + 15) & ~15u;
    const std::size_t bytes = array.elementBytes * array.count;
    if (from + bytes > sharedBytes)
        fail(launchFailed, "needs more than %u bytes of shared memory: %s[%u] takes %zu, and %u are taken", sharedBytes, array.name, array.count, bytes,
             from);
    sharedUsed = from + static_cast<std::uint32_t>(bytes);
    array.blockEpoch = blockEpoch;
    array.data = shared + from;
    std::memset(array.data, 0xFF, bytes);
    if (checkRaces) array.prepareShadow();
}

ShortText Multiprocessor::describe(const Thread& thread) { return ShortText("(%u, %u, %u)", thread.index.x, thread.index.y, thread.index.z); }

void Multiprocessor::record(FaultCode code, const char* message) {
    char text[1200];
    std::snprintf(text, sizeof text, "kernel %s, block (%u, %u, %u), thread %s %s", kernel->name, blockIdx.x, blockIdx.y, blockIdx.z,
                  describe(*current).c_str(), message);
    fault.code = code;
    fault.message = text;
    std::fprintf(stderr, "emulator: %s\n", text);
}

void Multiprocessor::fail(FaultCode code, const char* format, ...) {
    char message[1000];
    va_list values;
    va_start(values, format);
    std::vsnprintf(message, sizeof message, format, values);
    va_end(values);
    record(code, message);
    leaveContext(main);
}

void Multiprocessor::failFromSignal(int signal, void* address, bool writes, void* signalContext) {
    char message[600];
    FaultCode code = illegalAddress;
    if (signal == SIGFPE) {
        code = launchFailed;
        std::snprintf(message, sizeof message, "divides a whole number by zero");
    } else if (stacks.isGuard(address)) {
        code = launchFailed;
        std::snprintf(message, sizeof message, "needs more stack than the emulator gives it");
    } else {
        std::snprintf(message, sizeof message, "%s address %p, %s", writes ? "writes to" : "reads", address, deviceMemory.describe(address).c_str());
    }
    record(code, message);
    redirectSignal(signalContext, main);
}

void Multiprocessor::failDeadlocked() {
    for (unsigned w = 0; w * warpLanes < blockDim.x * blockDim.y * blockDim.z; w++) {
        if (!warps[w].arrived) continue;
        const unsigned missing = warps[w].live & ~warps[w].arrived;
        const Thread& other = threads[w * warpLanes + lowestBit(missing)];
        makeCurrent(&threads[w * warpLanes + lowestBit(warps[w].arrived)]);
        fail(launchFailed, "waits at %s (%s:%d) for thread %s of its warp, which waits at __syncthreads (%s:%d)", warps[w].operation, warps[w].place.file,
             warps[w].place.line, describe(other).c_str(), other.place.file, other.place.line);
    }
    fail(launchFailed, "cannot go on: every thread waits");
}

}  // namespace emulator
