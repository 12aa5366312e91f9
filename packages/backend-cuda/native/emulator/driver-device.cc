// Initialisation, devices, contexts, names of errors.
#include <cstdio>
#include <cstring>

#include "driver.h"
#include "memory.h"

using namespace emulator;

namespace {

struct Error {
    CUresult code;
    const char* name;
    const char* text;
};

constexpr Error errors[] = {
    {0, "CUDA_SUCCESS", "no error"},
    {1, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
    {2, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
    {3, "CUDA_ERROR_NOT_INITIALIZED", "initialization error"},
    {4, "CUDA_ERROR_DEINITIALIZED", "driver shutting down"},
    {34, "CUDA_ERROR_STUB_LIBRARY", "CUDA driver is a stub library"},
    {46, "CUDA_ERROR_DEVICE_UNAVAILABLE", "CUDA-capable device(s) is/are busy or unavailable"},
    {100, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"},
    {101, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
    {200, "CUDA_ERROR_INVALID_IMAGE", "device kernel image is invalid"},
    {201, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
    {209, "CUDA_ERROR_NO_BINARY_FOR_GPU", "no kernel image is available for execution on the device"},
    {214, "CUDA_ERROR_ECC_UNCORRECTABLE", "uncorrectable ECC error encountered"},
    {218, "CUDA_ERROR_INVALID_PTX", "a PTX JIT compilation failed"},
    {221, "CUDA_ERROR_JIT_COMPILER_NOT_FOUND", "PTX JIT compiler library not found"},
    {222, "CUDA_ERROR_UNSUPPORTED_PTX_VERSION", "the provided PTX was compiled with an unsupported toolchain."},
    {300, "CUDA_ERROR_INVALID_SOURCE", "device kernel image is invalid"},
    {304, "CUDA_ERROR_OPERATING_SYSTEM", "OS call failed or operation not supported on this OS"},
    {400, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"},
    {401, "CUDA_ERROR_ILLEGAL_STATE", "the operation cannot be performed in the present state"},
    {500, "CUDA_ERROR_NOT_FOUND", "named symbol not found"},
    {600, "CUDA_ERROR_NOT_READY", "device not ready"},
    {700, "CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"},
    {701, "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES", "too many resources requested for launch"},
    {702, "CUDA_ERROR_LAUNCH_TIMEOUT", "the launch timed out and was terminated"},
    {709, "CUDA_ERROR_CONTEXT_IS_DESTROYED", "context is destroyed"},
    {710, "CUDA_ERROR_ASSERT", "device-side assert triggered"},
    {714, "CUDA_ERROR_HARDWARE_STACK_ERROR", "hardware stack error"},
    {715, "CUDA_ERROR_ILLEGAL_INSTRUCTION", "an illegal instruction was encountered"},
    {716, "CUDA_ERROR_MISALIGNED_ADDRESS", "misaligned address"},
    {717, "CUDA_ERROR_INVALID_ADDRESS_SPACE", "operation not supported on global/shared address space"},
    {718, "CUDA_ERROR_INVALID_PC", "invalid program counter"},
    {719, "CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"},
    {800, "CUDA_ERROR_NOT_PERMITTED", "operation not permitted"},
    {801, "CUDA_ERROR_NOT_SUPPORTED", "operation not supported"},
    {802, "CUDA_ERROR_SYSTEM_NOT_READY", "system not yet initialized"},
    {803, "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH", "system has unsupported display driver / cuda driver combination"},
    {900, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED", "operation not permitted when stream is capturing"},
    {901, "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED", "operation failed due to a previous error during capture"},
    {905, "CUDA_ERROR_STREAM_CAPTURE_ISOLATION", "dependency created on uncaptured work in another stream"},
    {906, "CUDA_ERROR_STREAM_CAPTURE_IMPLICIT", "operation would make the legacy stream depend on a capturing blocking stream"},
    {907, "CUDA_ERROR_CAPTURED_EVENT", "operation not permitted on an event last recorded in a capturing stream"},
    {908, "CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD", "attempt to terminate a thread-local capture sequence from another thread"},
    {999, "CUDA_ERROR_UNKNOWN", "unknown error"},
};

const Error* findError(CUresult code) {
    for (const Error& error : errors)
        if (error.code == code) return &error;
    return nullptr;
}

bool isDevice(CUdevice device) { return device >= 0 && device < driver.options.devices; }

struct Attribute {
    int number;
    int value;
};

/** A card that does not exist, with numbers like those of an A100. */
constexpr Attribute attributes[] = {
    {1, 1024},        // threads a block
    {2, 1024},        // … in x
    {3, 1024},        // … in y
    {4, 64},          // … in z
    {5, 2147483647},  // blocks in x
    {6, 65535},       // … in y
    {7, 65535},       // … in z
    {8, 49152},       // shared bytes a block
    {9, 65536},       // constant bytes
    {10, 32},         // lanes
    {11, 2147483647}, // pitch
    {12, 65536},      // registers a block
    {13, 1410000},    // kHz
    {16, 108},        // multiprocessors
    {17, 0},          // time limit for kernels
    {18, 0},          // integrated
    {19, 1},          // maps host memory
    {20, 0},          // compute mode: default
    {31, 1},          // concurrent kernels
    {32, 1},          // ECC
    {33, 1},          // PCI bus
    {34, 0},          // PCI device
    {35, 0},          // TCC
    {36, 1215000},    // memory kHz
    {37, 5120},       // memory bus bits
    {38, 41943040},   // second-level cache bytes
    {39, 2048},       // threads a multiprocessor
    {40, 3},          // copy engines
    {41, 1},          // unified addressing
    {81, 167936},     // shared bytes a multiprocessor
    {82, 65536},      // registers a multiprocessor
    {83, 1},          // managed memory
    {95, 1},          // cooperative launch
    {97, 166912},     // shared bytes a block, when asked for
};

}  // namespace

extern "C" {

CUresult cuInit(unsigned flags) {
    return answer("cuInit", {.nothing = true}, [&]() -> CUresult {
        if (flags) return invalidValue;
        if (driver.options.devices < 1) return noDevice;
        while (std::ssize(driver.contexts) < driver.options.devices) driver.contexts.push_back({static_cast<CUdevice>(driver.contexts.size())});
        driver.initialized = true;
        return success;
    });
}

CUresult cuDriverGetVersion(int* version) {
    return answer("cuDriverGetVersion", {.nothing = true}, [&]() -> CUresult {
        if (!version) return invalidValue;
        *version = driver.options.driverVersion;
        return success;
    });
}

CUresult cuGetErrorName(CUresult code, const char** name) {
    return answer("cuGetErrorName", {.nothing = true}, [&]() -> CUresult {
        if (!name) return invalidValue;
        const Error* error = findError(code);
        *name = error ? error->name : nullptr;
        return error ? success : invalidValue;
    });
}

CUresult cuGetErrorString(CUresult code, const char** text) {
    return answer("cuGetErrorString", {.nothing = true}, [&]() -> CUresult {
        if (!text) return invalidValue;
        const Error* error = findError(code);
        *text = error ? error->text : nullptr;
        return error ? success : invalidValue;
    });
}

CUresult cuDeviceGetCount(int* count) {
    return answer("cuDeviceGetCount", {.context = false}, [&]() -> CUresult {
        if (!count) return invalidValue;
        *count = driver.options.devices;
        return success;
    });
}

CUresult cuDeviceGet(CUdevice* device, int ordinal) {
    return answer("cuDeviceGet", {.context = false}, [&]() -> CUresult {
        if (!device) return invalidValue;
        if (!isDevice(ordinal)) return invalidDevice;
        *device = ordinal;
        return success;
    });
}

CUresult cuDeviceGetName(char* name, int bytes, CUdevice device) {
    return answer("cuDeviceGetName", {.context = false}, [&]() -> CUresult {
        if (!name || bytes < 1) return invalidValue;
        if (!isDevice(device)) return invalidDevice;
        std::snprintf(name, static_cast<std::size_t>(bytes), "Emulated GPU (sm_%d%d)", driver.options.capabilityMajor, driver.options.capabilityMinor);
        return success;
    });
}

CUresult cuDeviceGetAttribute(int* value, int attribute, CUdevice device) {
    return answer("cuDeviceGetAttribute", {.context = false}, [&]() -> CUresult {
        if (!value) return invalidValue;
        if (!isDevice(device)) return invalidDevice;
        if (attribute == CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR) return *value = driver.options.capabilityMajor, success;
        if (attribute == CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR) return *value = driver.options.capabilityMinor, success;
        for (const Attribute& known : attributes)
            if (known.number == attribute) return *value = known.value, success;
        return invalidValue;
    });
}

CUresult cuDeviceTotalMem_v2(size_t* bytes, CUdevice device) {
    return answer("cuDeviceTotalMem_v2", {.context = false}, [&]() -> CUresult {
        if (!bytes) return invalidValue;
        if (!isDevice(device)) return invalidDevice;
        *bytes = driver.options.memoryBytes;
        return success;
    });
}

CUresult cuDeviceGetUuid(CUuuid* uuid, CUdevice device) {
    return answer("cuDeviceGetUuid", {.context = false}, [&]() -> CUresult {
        if (!uuid) return invalidValue;
        if (!isDevice(device)) return invalidDevice;
        std::memset(uuid, 0, sizeof *uuid);
        std::memcpy(uuid, "facet emulated", 14);
        uuid->bytes[15] = static_cast<unsigned char>(device);
        return success;
    });
}

CUresult cuDevicePrimaryCtxRetain(CUcontext* context, CUdevice device) {
    return answer("cuDevicePrimaryCtxRetain", {.context = false}, [&]() -> CUresult {
        if (!context) return invalidValue;
        if (!isDevice(device)) return invalidDevice;
        *context = &driver.contexts[static_cast<std::size_t>(device)];
        (*context)->retained++;
        return success;
    });
}

CUresult cuDevicePrimaryCtxRelease_v2(CUdevice device) {
    return answer("cuDevicePrimaryCtxRelease_v2", {.context = false}, [&]() -> CUresult {
        if (!isDevice(device)) return invalidDevice;
        CUctx_st& context = driver.contexts[static_cast<std::size_t>(device)];
        if (!context.retained) return invalidContext;
        if (context.retained == 1) driver.drainAll();
        context.retained--;
        bool isLast = true;
        for (const CUctx_st& each : driver.contexts) isLast = isLast && !each.retained;
        if (isLast) driver.destroyAll();
        return driver.fault;
    });
}

CUresult cuCtxSetCurrent(CUcontext context) {
    return answer("cuCtxSetCurrent", {.context = false}, [&]() -> CUresult {
        bool known = !context;
        for (const CUctx_st& each : driver.contexts) known = known || (&each == context && each.retained);
        if (!known) return invalidContext;
        currentContext = context;
        return driver.fault;
    });
}

CUresult cuCtxSynchronize() {
    return answer("cuCtxSynchronize", {.noCapture = true}, [&]() -> CUresult {
        driver.drainAll();
        driver.checkMemory("at cuCtxSynchronize");
        return driver.fault;
    });
}

}
