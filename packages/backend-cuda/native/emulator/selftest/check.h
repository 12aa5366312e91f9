// The cases of the emulator's own test, and a device to run them on.
#pragma once

#include <cstdint>
#include <cstring>
#include <functional>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "../../addon/driver.h"
#include "../place.h"

extern "C" {
#define DECLARE(name, ...) CUresult name(__VA_ARGS__);
CUDA_FUNCTIONS(DECLARE)
#undef DECLARE
CUresult cuCtxSynchronize();
CUresult cuStreamQuery(CUstream);
CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr, CUdeviceptr, size_t, CUstream);
CUresult cuMemsetD8Async(CUdeviceptr, unsigned char, size_t, CUstream);
CUresult cuFuncGetAttribute(int*, int, CUfunction);
const char* facetEmulatedLastFault();
const char* facetEmulatedCounts();
void facetEmulatedReset();
}

namespace selftest {

struct Case {
    const char* name;
    void (*run)();
};
std::vector<Case>& cases();
struct Registration {
    Registration(const char* name, void (*run)()) { cases().push_back({name, run}); }
};

/** Ends the case. */
[[noreturn]] void fail(const std::string& what, const char* file, int line);
void expectEqual(std::int64_t actual, std::int64_t expected, const char* text, const char* file, int line);

using Environment = std::initializer_list<std::pair<const char*, const char*>>;
using Size = std::initializer_list<unsigned>;

/** A driver that was reset, its first device, and one stream. */
class Device {
public:
    explicit Device(Environment environment = {});
    /** Fails the case when it leaves something behind. */
    ~Device() noexcept(false);

    /** `count` elements, as the driver gives them. */
    template <typename T>
    T* allocate(std::size_t count) {
        return reinterpret_cast<T*>(allocateBytes(count * sizeof(T)));
    }
    template <typename T>
    T* upload(const std::vector<T>& values) {
        T* pointer = allocate<T>(values.size());
        copyIn(pointer, values.data(), values.size() * sizeof(T));
        return pointer;
    }
    template <typename T>
    std::vector<T> download(const T* pointer, std::size_t count) {
        std::vector<T> values(count);
        copyOut(values.data(), pointer, count * sizeof(T));
        return values;
    }

    CUfunction function(const std::string& module, const char* kernel);
    /** Launches, and waits. */
    template <typename Args>
    CUresult launch(CUfunction function, Size grid, Size block, Args args) {
        return launchAndWait(function, grid, block, &args);
    }
    /** The launch must fail with `code`, and the driver's text must have all of `fragments`. */
    template <typename Args>
    void fails(CUresult code, std::initializer_list<const char*> fragments, CUfunction function, Size grid, Size block, Args args,
               emulator::Place place = emulator::Place::here()) {
        expectFault(launchAndWait(function, grid, block, &args), code, fragments, place);
    }

    CUcontext context = nullptr;
    CUstream stream = nullptr;

private:
    CUdeviceptr allocateBytes(std::size_t bytes);
    void copyIn(void* to, const void* from, std::size_t bytes);
    void copyOut(void* to, const void* from, std::size_t bytes);
    CUresult launchAndWait(CUfunction function, Size grid, Size block, void* args);
    void expectFault(CUresult result, CUresult code, std::initializer_list<const char*> fragments, emulator::Place place);

    std::vector<CUdeviceptr> allocations;
    std::vector<std::pair<std::string, CUmodule>> modules;
    int uncaught;
};

/** Every order in which threads can run. */
constexpr const char* orders[] = {"forward", "reverse", "random:1", "random:2", "random:3"};

}  // namespace selftest

#define CASE(name)                                                  \
    static void name();                                             \
    static const ::selftest::Registration name##Case(#name, &name); \
    static void name()
#define CHECK(condition) ((condition) ? void() : ::selftest::fail(#condition, __FILE__, __LINE__))
#define EQUAL(actual, expected) ::selftest::expectEqual(actual, expected, #actual, __FILE__, __LINE__)
