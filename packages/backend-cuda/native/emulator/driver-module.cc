// Modules, functions and launches.
#include <cctype>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

#include "driver.h"
#include "memory.h"
#include "multiprocessor.h"

using namespace emulator;

namespace {

constexpr std::string_view emulatedHeader = "facet-emulated module ";

std::string_view word(std::string_view text, std::size_t from) {
    while (from < text.size() && std::isspace(static_cast<unsigned char>(text[from]))) from++;
    std::size_t to = from;
    while (to < text.size() && (std::isalnum(static_cast<unsigned char>(text[to])) || text[to] == '_' || text[to] == '$' || text[to] == '.')) to++;
    return text.substr(from, to - from);
}

std::string_view wordBehind(std::string_view text, std::string_view directive) {
    const auto found = text.find(directive);
    return found == text.npos ? "" : word(text, found + directive.size());
}

/** The driver that first knew a PTX version; source: PTX ISA, release notes. */
int driverOfPtx(int version) {
    constexpr int known[][2] = {{63, 10000}, {64, 10010}, {65, 10020}, {70, 11000}, {71, 11010}, {72, 11020}, {73, 11030}, {74, 11040}, {75, 11050},
                                {76, 11060}, {77, 11070}, {78, 11080}, {80, 12000}, {81, 12010}, {82, 12020}, {83, 12030}, {84, 12040}, {85, 12050}};
    for (const auto& [ptx, driverVersion] : known)
        if (version <= ptx) return driverVersion;
    return 13000;
}

/** Why a text is no module for this device; 0 when it is one. */
CUresult readModule(std::string_view text, CUmod_st& module, std::string& log) {
    if (text.starts_with(emulatedHeader)) {
        const std::string_view name = text.substr(emulatedHeader.size());
        module.name = name.substr(0, name.find_first_of(" \r\n"));
        return success;
    }
    const std::string version(wordBehind(text, ".version")), target(wordBehind(text, ".target"));
    if (version.empty() || !target.starts_with("sm_")) {
        log = "ptxas fatal: this is no PTX: it has no .version and .target";
        return invalidPtx;
    }
    const int ptx = std::atoi(version.c_str()) * 10 + std::atoi(version.c_str() + version.find('.') + 1);
    if (driverOfPtx(ptx) > driver.options.driverVersion) {
        log = "ptxas fatal: unsupported .version " + version;
        return unsupportedPtxVersion;
    }
    if (std::atoi(target.c_str() + 3) > driver.options.capabilityMajor * 10 + driver.options.capabilityMinor) return noBinaryForGpu;
    constexpr std::string_view entry = ".visible .entry";
    for (auto found = text.find(entry); found != text.npos; found = text.find(entry, found + 1)) module.entries.emplace(word(text, found + entry.size()));
    return success;
}

void writeLog(const std::string& log, unsigned count, const int* options, void** values) {
    char* buffer = nullptr;
    std::size_t bytes = 0;
    void** used = nullptr;
    for (unsigned i = 0; i < count; i++) {
        if (options[i] == CU_JIT_ERROR_LOG_BUFFER) buffer = static_cast<char*>(values[i]);
        if (options[i] == CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES) bytes = static_cast<unsigned>(reinterpret_cast<std::uintptr_t>(values[i])), used = &values[i];
    }
    if (!buffer || !bytes) return;
    const std::size_t written = std::min(bytes - 1, log.size());
    std::memcpy(buffer, log.data(), written);
    buffer[written] = 0;
    *used = reinterpret_cast<void*>(written);
}

const Kernel* findKernel(const CUmod_st& module, const std::string& name) {
    if (module.name.empty() && !module.entries.contains(name)) return nullptr;
    for (const Kernel& kernel : kernels())
        if (name == kernel.name && (module.name.empty() || module.name == kernel.module())) return &kernel;
    return nullptr;
}

/** The argument struct, copied as the launch copies it; null when its size is not the kernel's. */
std::shared_ptr<char[]> copyArguments(const Kernel& kernel, void** parameters, void** extra) {
    const void* from = parameters ? parameters[0] : nullptr;
    std::size_t bytes = kernel.argumentBytes;
    for (; extra && *extra; extra += 2) {
        if (extra[0] == reinterpret_cast<void*>(1)) from = extra[1];
        if (extra[0] == reinterpret_cast<void*>(2)) bytes = *static_cast<const std::size_t*>(extra[1]);
    }
    if (!from || bytes != kernel.argumentBytes) return nullptr;
    std::shared_ptr<char[]> copy(new char[bytes]);
    std::memcpy(copy.get(), from, bytes);
    return copy;
}

}  // namespace

extern "C" {

CUresult cuModuleLoadDataEx(CUmodule* module, const void* image, unsigned count, int* options, void** values) {
    return answer("cuModuleLoadDataEx", {.noCapture = true}, [&]() -> CUresult {
        if (!module || !image || (count && (!options || !values))) return invalidValue;
        CUmod_st read;
        std::string log;
        const CUresult result = readModule(static_cast<const char*>(image), read, log);
        writeLog(log, count, options, values);
        if (!result) *module = driver.modules.add(read);
        return result;
    });
}

CUresult cuModuleUnload(CUmodule module) {
    return answer("cuModuleUnload", {.noCapture = true, .evenDead = true}, [&]() -> CUresult {
        if (!driver.modules.has(module)) return invalidHandle;
        driver.drainAll();
        std::vector<CUfunction> own;
        for (const auto& [function, owner] : driver.functions)
            if (function->module == module) own.push_back(function);
        for (CUfunction function : own) driver.functions.remove(function);
        driver.modules.remove(module);
        return driver.fault;
    });
}

CUresult cuModuleGetFunction(CUfunction* function, CUmodule module, const char* name) {
    return answer("cuModuleGetFunction", {}, [&]() -> CUresult {
        if (!function || !name) return invalidValue;
        if (!driver.modules.has(module)) return invalidHandle;
        const Kernel* kernel = findKernel(*module, name);
        if (!kernel) return notFound;
        for (const auto& [known, owner] : driver.functions)
            if (known->module == module && known->kernel == kernel) return *function = known, success;
        *function = driver.functions.add(module, kernel);
        return success;
    });
}

CUresult cuFuncGetAttribute(int* value, int attribute, CUfunction function) {
    return answer("cuFuncGetAttribute", {}, [&]() -> CUresult {
        if (!value) return invalidValue;
        if (!driver.functions.has(function)) return invalidHandle;
        const int capability = driver.options.capabilityMajor * 10 + driver.options.capabilityMinor;
        switch (attribute) {
            case 0: return *value = static_cast<int>(function->kernel->maxThreads), success;  // threads a block
            case 1: case 2: case 3: return *value = 0, success;                                // shared, constant, local bytes: not known
            case 4: return *value = 32, success;                                               // registers: not known either
            case 5: case 6: return *value = capability, success;                               // PTX and binary version
            default: return invalidValue;
        }
    });
}

CUresult cuLaunchKernel(CUfunction function, unsigned gridX, unsigned gridY, unsigned gridZ, unsigned blockX, unsigned blockY, unsigned blockZ,
                        unsigned sharedMemory, CUstream stream, void** parameters, void** extra) {
    return answer("cuLaunchKernel", {}, [&]() -> CUresult {
        if (!driver.functions.has(function) || !isStream(stream)) return invalidHandle;
        const auto between = [](unsigned value, unsigned most) { return value >= 1 && value <= most; };
        if (!between(gridX, 2147483647) || !between(gridY, 65535) || !between(gridZ, 65535)) return invalidValue;
        if (!between(blockX, 1024) || !between(blockY, 1024) || !between(blockZ, 64)) return invalidValue;
        const Kernel& kernel = *function->kernel;
        if (std::uint64_t{blockX} * blockY * blockZ > kernel.maxThreads) return invalidValue;
        if (sharedMemory > sharedBytes || !parameters == !extra) return invalidValue;
        const std::shared_ptr<char[]> arguments = copyArguments(kernel, parameters, extra);
        if (!arguments) return invalidValue;
        return driver.enqueue(stream, [=, &kernel] {
            const Launch launch{&kernel, arguments.get(), {gridX, gridY, gridZ}, {blockX, blockY, blockZ}};
            if (!multiprocessor.run(launch, driver.options)) driver.die(multiprocessor.lastFault().code, multiprocessor.lastFault().message);
            else if (driver.options.checkRaces) driver.checkMemory("after kernel " + std::string(kernel.name));
        });
    });
}

}
