// The emulated driver's state. Its functions are in driver-*.cc, declared as the addon declares the real ones.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "../addon/driver.h"
#include "kernel.h"
#include "options.h"

namespace emulator {

// Source of numbers: the CUDA Driver API reference (CUresult, CUdevice_attribute, CUfunction_attribute).
enum Result : CUresult {
    success = 0,
    invalidValue = 1,
    outOfMemory = 2,
    notInitialized = 3,
    noDevice = 100,
    invalidDevice = 101,
    invalidContext = 201,
    noBinaryForGpu = 209,
    invalidPtx = 218,
    unsupportedPtxVersion = 222,
    invalidHandle = 400,
    illegalState = 401,
    notFound = 500,
    notReady = 600,
    contextIsDestroyed = 709,
    captureUnsupported = 900,
    captureInvalidated = 901,
    captureImplicit = 906,
    capturedEvent = 907,
    captureWrongThread = 908,
};

enum CaptureMode { captureGlobal = 0, captureThreadLocal = 1, captureRelaxed = 2 };

/** What a stream does in order. Graphs do it again and again. */
using Operation = std::function<void()>;

template <typename T>
class Handles {
public:
    template <typename... Values>
    T* add(Values&&... values) {
        auto handle = std::make_unique<T>(std::forward<Values>(values)...);
        T* pointer = handle.get();
        live.emplace(pointer, std::move(handle));
        return pointer;
    }
    bool has(T* handle) const { return live.contains(handle); }
    bool remove(T* handle) { return live.erase(handle) > 0; }
    std::size_t count() const { return live.size(); }
    void clear() { live.clear(); }
    auto begin() const { return live.begin(); }
    auto end() const { return live.end(); }

private:
    std::map<T*, std::unique_ptr<T>> live;
};

struct Capture {
    int mode;
    std::thread::id thread;
    std::vector<Operation> operations;
    bool invalid = false;
};

/** A recording of an event that the stream has come to, or not yet. */
struct Recording {
    std::chrono::steady_clock::time_point time;
    bool done = false;
};

}  // namespace emulator

struct CUctx_st {
    CUdevice device;
    int retained = 0;
};
struct CUstream_st {
    CUcontext context;
    bool nonBlocking;
    std::deque<emulator::Operation> waiting{};
    std::unique_ptr<emulator::Capture> capture{};
};
struct CUevent_st {
    CUcontext context;
    unsigned flags;
    CUstream stream = nullptr;
    bool captured = false;
    std::shared_ptr<emulator::Recording> recording{};
};
struct CUmod_st {
    /** The .cu file it was made from, where it says so; else it is PTX. */
    std::string name;
    std::set<std::string> entries{};
    std::set<std::string> functions{};
};
struct CUfunc_st {
    CUmodule module;
    const emulator::Kernel* kernel;
};
struct CUgraph_st {
    std::shared_ptr<const std::vector<emulator::Operation>> operations;
};
struct CUgraphExec_st {
    std::shared_ptr<const std::vector<emulator::Operation>> operations;
};

namespace emulator {

struct DriverState {
    Options options;
    bool initialized = false;
    /** Not 0 once a kernel has made a fault: what every later call answers. */
    CUresult fault = 0;
    std::string lastFault;
    std::map<std::string, int> calls;
    std::deque<CUctx_st> contexts;
    Handles<CUstream_st> streams;
    Handles<CUevent_st> events;
    Handles<CUmod_st> modules;
    Handles<CUfunc_st> functions;
    Handles<CUgraph_st> graphs;
    Handles<CUgraphExec_st> graphExecs;

    void reset();
    /** The last context takes with it what was made in it and not given back: orphans. */
    void destroyAll();
    std::size_t orphans = 0;
    bool isDead() const { return fault != 0; }
    /** Records a fault, unless there was one already. */
    void die(CUresult code, const std::string& message);

    /** Does it now, later or in a graph. The stream may be null, the legacy default stream. */
    CUresult enqueue(CUstream stream, Operation operation);
    void run(const Operation& operation) {
        if (!isDead()) operation();
    }
    /** Does the stream's next operation; false when there was none. */
    bool runNext(CUstream stream);
    void drain(CUstream stream) {
        while (runNext(stream)) {}
    }
    void drainAll();
    /** Looks for writes where nothing was allocated. */
    void checkMemory(const std::string& when);
};

extern DriverState driver;
extern thread_local CUcontext currentContext;

struct Needs {
    /** Before cuInit too. */
    bool nothing = false;
    /** A context that is current. A dead one answers its fault. */
    bool context = true;
    /** Forbidden while a stream is captured that forbids it. */
    bool noCapture = false;
    /** Done in a dead context too, which answers its fault afterwards. */
    bool evenDead = false;
};

/** Answers a call of the driver: planned failures, what it needs, then `work`. */
CUresult answer(const char* function, Needs needs, const std::function<CUresult()>& work);

/** Null is the legacy default stream, and valid. */
bool isStream(CUstream stream);

}  // namespace emulator
