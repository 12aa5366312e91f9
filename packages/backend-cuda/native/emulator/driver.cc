#include "driver.h"

#include <algorithm>
#include <cstdio>

#include "memory.h"

namespace emulator {

DriverState driver;
thread_local CUcontext currentContext = nullptr;

namespace {

std::recursive_mutex& lock() {
    static std::recursive_mutex mutex;
    return mutex;
}

/** Invalidates the captures that forbid what is done; true when there was one. */
bool breaksCapture() {
    bool broken = false;
    for (const auto& [stream, owner] : driver.streams) {
        if (!stream->capture || stream->capture->mode == captureRelaxed) continue;
        if (stream->capture->mode == captureThreadLocal && stream->capture->thread != std::this_thread::get_id()) continue;
        stream->capture->invalid = broken = true;
    }
    return broken;
}

}  // namespace

void DriverState::reset() {
    // Threads may still point at the contexts.
    std::deque<CUctx_st> kept = std::move(contexts);
    for (CUctx_st& context : kept) context.retained = 0;
    *this = DriverState{};
    contexts = std::move(kept);
    currentContext = nullptr;
}

void DriverState::destroyAll() {
    drainAll();
    orphans += modules.count() + graphs.count() + graphExecs.count() + events.count() + streams.count() + deviceMemory.count() + hostMemory.count();
    functions.clear();
    modules.clear();
    graphs.clear();
    graphExecs.clear();
    events.clear();
    streams.clear();
    deviceMemory.releaseAll();
    hostMemory.releaseAll();
}

void DriverState::die(CUresult code, const std::string& message) {
    if (isDead()) return;
    fault = code;
    lastFault = message;
}

CUresult DriverState::enqueue(CUstream stream, Operation operation) {
    if (!stream) {
        for (const auto& [other, owner] : streams) {
            if (!other->capture || other->nonBlocking) continue;
            other->capture->invalid = true;
            return captureImplicit;
        }
        // It waits for all blocking streams; that it does so at once is one of the orders that are allowed.
        for (const auto& [other, owner] : streams)
            if (!other->nonBlocking) drain(other);
        run(operation);
        return success;
    }
    if (stream->capture) {
        if (stream->capture->invalid) return captureInvalidated;
        stream->capture->operations.push_back(std::move(operation));
    } else if (options.lazy) {
        stream->waiting.push_back(std::move(operation));
    } else {
        run(operation);
    }
    return success;
}

bool DriverState::runNext(CUstream stream) {
    if (!stream || stream->waiting.empty()) return false;
    const Operation operation = std::move(stream->waiting.front());
    stream->waiting.pop_front();
    run(operation);
    return true;
}

void DriverState::drainAll() {
    for (const auto& [stream, owner] : streams) drain(stream);
}

void DriverState::checkMemory(const std::string& when) {
    if (isDead()) return;
    const std::string damage = deviceMemory.damage() + hostMemory.damage();
    if (damage.empty()) return;
    const std::string message = damage + ": found " + when;
    std::fprintf(stderr, "emulator: %s\n", message.c_str());
    die(700, message);
}

bool isStream(CUstream stream) { return !stream || (driver.streams.has(stream) && stream->context == currentContext); }

CUresult answer(const char* function, Needs needs, const std::function<CUresult()>& work) {
    const std::lock_guard guard(lock());
    if (!driver.initialized) driver.options = Options::fromEnvironment();
    const int count = ++driver.calls[function];
    for (const PlannedFailure& failure : driver.options.failures)
        if (failure.function == function && failure.count == count) return failure.code;
    if (needs.nothing) return work();
    if (!driver.initialized) return notInitialized;
    if (!needs.context) return work();
    if (!currentContext) return invalidContext;
    if (!currentContext->retained) return contextIsDestroyed;
    if (driver.isDead()) {
        if (needs.evenDead) work();
        return driver.fault;
    }
    if (needs.noCapture && breaksCapture()) return captureUnsupported;
    return work();
}

}  // namespace emulator

extern "C" {

/** What a kernel did wrong: kernel, block, thread, place. Empty while nothing did. */
__attribute__((visibility("default"))) const char* facetEmulatedLastFault() {
    const std::lock_guard guard(emulator::lock());
    return emulator::driver.lastFault.c_str();
}

/** What is alive, and how often each function was called, as JSON. */
__attribute__((visibility("default"))) const char* facetEmulatedCounts() {
    using emulator::driver;
    const std::lock_guard guard(emulator::lock());
    static std::string text;
    int contexts = 0;
    for (const CUctx_st& context : driver.contexts) contexts += context.retained;
    const auto entry = [](const std::string& name, std::size_t count) { return "\"" + name + "\":" + std::to_string(count); };
    std::string calls;
    for (const auto& [name, count] : driver.calls) calls += (calls.empty() ? "" : ",") + entry(name, static_cast<std::size_t>(count));
    text = "{" + entry("contexts", static_cast<std::size_t>(contexts)) + "," + entry("allocations", emulator::deviceMemory.count()) + "," +
           entry("bytes", emulator::deviceMemory.used()) + "," + entry("hostAllocations", emulator::hostMemory.count()) + "," +
           entry("hostBytes", emulator::hostMemory.used()) + "," + entry("streams", driver.streams.count()) + "," +
           entry("events", driver.events.count()) + "," + entry("modules", driver.modules.count()) + "," + entry("graphs", driver.graphs.count()) + "," +
           entry("graphExecs", driver.graphExecs.count()) + "," + entry("orphans", driver.orphans) + ",\"calls\":{" + calls + "}}";
    return text.c_str();
}

/** Forgets everything, also a fault, and reads the environment anew at the next cuInit. Memory that is still allocated stays. */
__attribute__((visibility("default"))) void facetEmulatedReset() {
    const std::lock_guard guard(emulator::lock());
    emulator::driver.reset();
}

}
