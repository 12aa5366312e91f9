// Runs the cases whose names contain an argument, or all but "speed". Prints a line for each; ends with 1 when one failed.
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>

#include "check.h"

namespace selftest {

std::vector<Case>& cases() {
    static std::vector<Case> all;
    return all;
}

void fail(const std::string& what, const char* file, int line) { throw std::runtime_error(what + " (" + file + ":" + std::to_string(line) + ")"); }

void expectEqual(std::int64_t actual, std::int64_t expected, const char* text, const char* file, int line) {
    if (actual != expected) fail(std::string(text) + " is " + std::to_string(actual) + ", not " + std::to_string(expected), file, line);
}

namespace {

constexpr const char* variables[] = {"FACET_EMULATED_ORDER",  "FACET_EMULATED_FAIL", "FACET_EMULATED_MEMORY", "FACET_EMULATED_CAPABILITY",
                                     "FACET_EMULATED_DRIVER", "FACET_EMULATED_LAZY", "FACET_EMULATED_CHECK",  "FACET_EMULATED_DEVICES"};

unsigned at(Size size, std::size_t i) { return i < size.size() ? size.begin()[i] : 1; }

}  // namespace

Device::Device(Environment environment) : uncaught(std::uncaught_exceptions()) {
    for (const char* name : variables) unsetenv(name);
    for (const auto& [name, value] : environment) setenv(name, value, 1);
    facetEmulatedReset();
    EQUAL(cuInit(0), 0);
    EQUAL(cuDevicePrimaryCtxRetain(&context, 0), 0);
    EQUAL(cuCtxSetCurrent(context), 0);
    EQUAL(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING), 0);
}

Device::~Device() noexcept(false) {
    for (const auto& [name, module] : modules) cuModuleUnload(module);
    for (CUdeviceptr allocation : allocations) cuMemFree_v2(allocation);
    cuStreamDestroy_v2(stream);
    cuDevicePrimaryCtxRelease_v2(0);
    std::string counts = facetEmulatedCounts();
    counts.erase(counts.find(",\"calls\""));
    if (std::uncaught_exceptions() > uncaught) return;
    for (char digit : counts)
        if (digit >= '1' && digit <= '9') fail("left behind: " + counts, __FILE__, __LINE__);
}

CUdeviceptr Device::allocateBytes(std::size_t bytes) {
    CUdeviceptr pointer = 0;
    EQUAL(cuMemAlloc_v2(&pointer, bytes), 0);
    allocations.push_back(pointer);
    return pointer;
}

void Device::copyIn(void* to, const void* from, std::size_t bytes) {
    EQUAL(cuMemcpyHtoDAsync_v2(reinterpret_cast<CUdeviceptr>(to), from, bytes, stream), 0);
}

void Device::copyOut(void* to, const void* from, std::size_t bytes) {
    EQUAL(cuMemcpyDtoHAsync_v2(to, reinterpret_cast<CUdeviceptr>(from), bytes, stream), 0);
    EQUAL(cuStreamSynchronize(stream), 0);
}

CUfunction Device::function(const std::string& module, const char* kernel) {
    CUmodule loaded = nullptr;
    for (const auto& [name, known] : modules)
        if (name == module) loaded = known;
    if (!loaded) {
        EQUAL(cuModuleLoadDataEx(&loaded, ("facet-emulated module " + module).c_str(), 0, nullptr, nullptr), 0);
        modules.emplace_back(module, loaded);
    }
    CUfunction function = nullptr;
    EQUAL(cuModuleGetFunction(&function, loaded, kernel), 0);
    return function;
}

CUresult Device::launchAndWait(CUfunction function, Size grid, Size block, void* args) {
    void* parameters[] = {args};
    const CUresult launched = cuLaunchKernel(function, at(grid, 0), at(grid, 1), at(grid, 2), at(block, 0), at(block, 1), at(block, 2), 0, stream, parameters, nullptr);
    return launched ? launched : cuStreamSynchronize(stream);
}

void Device::expectFault(CUresult result, CUresult code, std::initializer_list<const char*> fragments, emulator::Place place) {
    const std::string text = facetEmulatedLastFault();
    if (result != code) fail("the launch answers " + std::to_string(result) + ", not " + std::to_string(code) + ": " + text, place.file, place.line);
    for (const char* fragment : fragments)
        if (text.find(fragment) == text.npos) fail("the fault lacks \"" + std::string(fragment) + "\": " + text, place.file, place.line);
    CUstream another = nullptr;
    EQUAL(cuStreamCreate(&another, 0), code);
}

}  // namespace selftest

int main(int count, char** arguments) {
    int ran = 0, failed = 0;
    for (const selftest::Case& each : selftest::cases()) {
        bool wanted = count < 2 && std::strcmp(each.name, "speed");
        for (int i = 1; i < count; i++) wanted = wanted || std::strstr(each.name, arguments[i]);
        if (!wanted) continue;
        ran++;
        try {
            each.run();
            std::printf("ok %s\n", each.name);
        } catch (const std::exception& error) {
            failed++;
            std::printf("FAILED %s: %s\n", each.name, error.what());
        }
        std::fflush(stdout);
    }
    std::printf("%d of %d cases passed\n", ran - failed, ran);
    return failed || !ran ? 1 : 0;
}
