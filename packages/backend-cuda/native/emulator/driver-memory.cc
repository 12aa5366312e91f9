// Memory and copies.
#include <cstring>

#include "driver.h"
#include "memory.h"

using namespace emulator;

namespace {

char* hostAddress(CUdeviceptr pointer) { return reinterpret_cast<char*>(pointer); }

bool isAllocated(CUdeviceptr pointer, size_t bytes) { return deviceMemory.contains(hostAddress(pointer), bytes); }

}  // namespace

extern "C" {

CUresult cuMemGetInfo_v2(size_t* free, size_t* total) {
    return answer("cuMemGetInfo_v2", {}, [&]() -> CUresult {
        if (!free || !total) return invalidValue;
        *total = driver.options.memoryBytes;
        *free = *total - std::min(*total, deviceMemory.used());
        return success;
    });
}

CUresult cuMemAlloc_v2(CUdeviceptr* pointer, size_t bytes) {
    return answer("cuMemAlloc_v2", {.noCapture = true}, [&]() -> CUresult {
        if (!pointer || !bytes) return invalidValue;
        char* start = deviceMemory.allocate(bytes, driver.options.memoryBytes);
        if (!start) return outOfMemory;
        *pointer = reinterpret_cast<CUdeviceptr>(start);
        return success;
    });
}

CUresult cuMemFree_v2(CUdeviceptr pointer) {
    return answer("cuMemFree_v2", {.noCapture = true, .evenDead = true}, [&]() -> CUresult {
        driver.drainAll();
        driver.checkMemory("at cuMemFree");
        return deviceMemory.release(hostAddress(pointer)) ? driver.fault : invalidValue;
    });
}

CUresult cuMemHostAlloc(void** pointer, size_t bytes, unsigned flags) {
    return answer("cuMemHostAlloc", {.noCapture = true}, [&]() -> CUresult {
        if (!pointer || !bytes || flags > 7) return invalidValue;
        *pointer = hostMemory.allocate(bytes, ~size_t{0});
        return *pointer ? success : outOfMemory;
    });
}

CUresult cuMemFreeHost(void* pointer) {
    return answer("cuMemFreeHost", {.noCapture = true, .evenDead = true}, [&]() -> CUresult {
        driver.drainAll();
        driver.checkMemory("at cuMemFreeHost");
        return hostMemory.release(pointer) ? driver.fault : invalidValue;
    });
}

// From page-locked memory it is read when the copy is done, from other memory at once. Other memory in a graph would be read at each launch,
// from wherever it was at capture: the real driver lets that pass, this one does not.
CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void* from, size_t bytes, CUstream stream) {
    return answer("cuMemcpyHtoDAsync_v2", {}, [&]() -> CUresult {
        if (!isStream(stream)) return invalidHandle;
        if (!bytes) return success;
        if (!from || !isAllocated(to, bytes)) return invalidValue;
        if (hostMemory.contains(from, bytes)) return driver.enqueue(stream, [=] { std::memcpy(hostAddress(to), from, bytes); });
        if (stream && stream->capture) return captureUnsupported;
        const auto* first = static_cast<const char*>(from);
        return driver.enqueue(stream, [=, copy = std::vector<char>(first, first + bytes)] { std::memcpy(hostAddress(to), copy.data(), bytes); });
    });
}

// Into page-locked memory it is written when the copy is done; before that there is nothing to read, and lazily that shows. Into other memory
// the call itself waits.
CUresult cuMemcpyDtoHAsync_v2(void* to, CUdeviceptr from, size_t bytes, CUstream stream) {
    return answer("cuMemcpyDtoHAsync_v2", {}, [&]() -> CUresult {
        if (!isStream(stream)) return invalidHandle;
        if (!bytes) return success;
        if (!to || !isAllocated(from, bytes)) return invalidValue;
        const bool pageLocked = hostMemory.contains(to, bytes), captured = stream && stream->capture;
        if (captured && !pageLocked) return captureUnsupported;
        if (!captured && pageLocked && driver.options.lazy) std::memset(to, 0xFF, bytes);
        const CUresult result = driver.enqueue(stream, [=] { std::memcpy(to, hostAddress(from), bytes); });
        if (pageLocked || result) return result;
        driver.drain(stream);
        return driver.fault;
    });
}

CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream stream) {
    return answer("cuMemcpyDtoDAsync_v2", {}, [&]() -> CUresult {
        if (!isStream(stream)) return invalidHandle;
        if (!bytes) return success;
        if (!isAllocated(to, bytes) || !isAllocated(from, bytes)) return invalidValue;
        return driver.enqueue(stream, [=] { std::memmove(hostAddress(to), hostAddress(from), bytes); });
    });
}

CUresult cuMemsetD8Async(CUdeviceptr to, unsigned char value, size_t bytes, CUstream stream) {
    return answer("cuMemsetD8Async", {}, [&]() -> CUresult {
        if (!isStream(stream)) return invalidHandle;
        if (!bytes) return success;
        if (!isAllocated(to, bytes)) return invalidValue;
        return driver.enqueue(stream, [=] { std::memset(hostAddress(to), value, bytes); });
    });
}

}
