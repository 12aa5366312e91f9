// The driver: arguments, states, streams, graphs, planned failures.
#include <thread>

#include "check.h"
#include "../../device/emulated.cuh"

using namespace selftest;

namespace {

struct Add {
    int* values;
    int amount;
};

GPU_KERNEL(add, Add) { args.values[threadIdx.x] += args.amount; }
GPU_KERNEL(diverge, Add) {
    if (threadIdx.x == 0) return;
    __syncthreads();
}

CUdeviceptr address(const void* pointer) { return reinterpret_cast<CUdeviceptr>(pointer); }

CUresult launchAdd(CUfunction function, Add args, CUstream stream) {
    void* parameters[] = {&args};
    return cuLaunchKernel(function, 1, 1, 1, 4, 1, 1, 0, stream, parameters, nullptr);
}

/** Page-locked memory. */
struct Pinned {
    int* values = nullptr;
    Pinned() { EQUAL(cuMemHostAlloc(reinterpret_cast<void**>(&values), 16, 0), 0); }
    ~Pinned() { cuMemFreeHost(values); }
};

CASE(nothingWorksBeforeInitialisation) {
    { const Device device; }
    facetEmulatedReset();
    int count = 0;
    CUcontext context = nullptr;
    EQUAL(cuDeviceGetCount(&count), 3);
    EQUAL(cuDevicePrimaryCtxRetain(&context, 0), 3);
    EQUAL(cuInit(1), 1);
    EQUAL(cuInit(0), 0);
    EQUAL(cuDeviceGetCount(&count), 0);
    EQUAL(count, 1);
    EQUAL(cuDevicePrimaryCtxRetain(&context, 1), 101);
    CUdeviceptr pointer = 0;
    EQUAL(cuMemAlloc_v2(&pointer, 4), 201);
    EQUAL(cuDevicePrimaryCtxRelease_v2(0), 201);
}

CASE(contextsAreCurrentPerThread) {
    const Device device;
    CUstream stream = nullptr;
    CUresult result = 0;
    std::thread([&] { result = cuStreamCreate(&stream, 0); }).join();
    EQUAL(result, 201);
    EQUAL(cuCtxSetCurrent(nullptr), 0);
    EQUAL(cuStreamCreate(&stream, 0), 201);
    CUcontext context = nullptr;
    EQUAL(cuDevicePrimaryCtxRetain(&context, 0), 0);
    EQUAL(cuDevicePrimaryCtxRelease_v2(0), 0);
    EQUAL(cuCtxSetCurrent(context), 0);
    EQUAL(cuCtxSetCurrent(reinterpret_cast<CUcontext>(&result)), 201);
    EQUAL(cuStreamCreate(&stream, 0), 0);
    EQUAL(cuStreamDestroy_v2(stream), 0);
}

CASE(aReleasedContextIsDestroyed) {
    CUcontext context = nullptr;
    { const Device device; }
    EQUAL(cuDevicePrimaryCtxRetain(&context, 0), 0);
    EQUAL(cuCtxSetCurrent(context), 0);
    EQUAL(cuDevicePrimaryCtxRelease_v2(0), 0);
    CUstream stream = nullptr;
    EQUAL(cuStreamCreate(&stream, 0), 709);
    EQUAL(cuCtxSetCurrent(context), 201);
}

CASE(devicesAreDescribed) {
    const Device device{{"FACET_EMULATED_CAPABILITY", "9.0"}, {"FACET_EMULATED_DRIVER", "13010"}, {"FACET_EMULATED_DEVICES", "2"}, {"FACET_EMULATED_MEMORY", "1000000"}};
    char name[64];
    int value = 0;
    size_t free = 0, total = 0;
    CUuuid first, second;
    EQUAL(cuDeviceGetName(name, sizeof name, 1), 0);
    CHECK(std::string(name) == "Emulated GPU (sm_90)");
    EQUAL(cuDeviceGetName(name, sizeof name, 2), 101);
    EQUAL(cuDeviceGetAttribute(&value, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, 0), 0);
    EQUAL(value, 9);
    EQUAL(cuDeviceGetAttribute(&value, 10, 0), 0);
    EQUAL(value, 32);
    EQUAL(cuDeviceGetAttribute(&value, 100000, 0), 1);
    EQUAL(cuDriverGetVersion(&value), 0);
    EQUAL(value, 13010);
    EQUAL(cuDeviceGetUuid(&first, 0) + cuDeviceGetUuid(&second, 1), 0);
    CHECK(std::memcmp(&first, &second, sizeof first) != 0);
    EQUAL(cuDeviceTotalMem_v2(&total, 0), 0);
    EQUAL(total, 1000000);
    CUdeviceptr pointer = 0, more = 0;
    EQUAL(cuMemAlloc_v2(&pointer, 900000), 0);
    EQUAL(cuMemGetInfo_v2(&free, &total), 0);
    EQUAL(free, 100000);
    EQUAL(cuMemAlloc_v2(&more, 100001), 2);
    EQUAL(cuMemFree_v2(pointer), 0);
    EQUAL(cuMemAlloc_v2(&more, 1000000), 0);
    EQUAL(cuMemFree_v2(more), 0);
}

CASE(errorsHaveNames) {
    const char* text = nullptr;
    EQUAL(cuGetErrorName(2, &text), 0);
    CHECK(std::string(text) == "CUDA_ERROR_OUT_OF_MEMORY");
    EQUAL(cuGetErrorString(2, &text), 0);
    CHECK(std::string(text) == "out of memory");
    EQUAL(cuGetErrorName(12345, &text), 1);
    CHECK(!text);
}

CASE(badArgumentsAreRefused) {
    Device device;
    int* values = device.upload<int>({1, 2, 3, 4});
    int host[4] = {};
    const auto stranger = [](auto& handle) { handle = reinterpret_cast<std::remove_reference_t<decltype(handle)>>(&handle); };
    CUstream stream;
    CUevent event;
    CUmodule module;
    CUfunction function;
    CUgraph graph = nullptr;
    CUgraphExec exec;
    stranger(stream), stranger(event), stranger(module), stranger(function), stranger(exec);
    EQUAL(cuMemAlloc_v2(nullptr, 4), 1);
    CUdeviceptr pointer = 0;
    EQUAL(cuMemAlloc_v2(&pointer, 0), 1);
    EQUAL(cuMemFree_v2(address(values + 1)), 1);
    EQUAL(cuMemFree_v2(0), 1);
    EQUAL(cuMemFreeHost(host), 1);
    EQUAL(cuMemcpyHtoDAsync_v2(address(values), host, 17, device.stream), 1);
    EQUAL(cuMemcpyHtoDAsync_v2(address(values) + 1, host, 16, device.stream), 1);
    EQUAL(cuMemcpyDtoHAsync_v2(host, address(host), 16, device.stream), 1);
    EQUAL(cuMemcpyDtoHAsync_v2(host, address(values), 16, stream), 400);
    EQUAL(cuMemsetD8Async(address(values) + 12, 0, 5, device.stream), 1);
    EQUAL(cuStreamSynchronize(stream), 400);
    EQUAL(cuStreamDestroy_v2(nullptr), 400);
    EQUAL(cuStreamCreate(&stream, 2), 1);
    EQUAL(cuEventRecord(event, device.stream), 400);
    EQUAL(cuEventQuery(event), 400);
    EQUAL(cuEventDestroy_v2(event), 400);
    EQUAL(cuEventCreate(&event, 8), 1);
    EQUAL(cuModuleGetFunction(&function, module, "add"), 400);
    EQUAL(cuModuleUnload(module), 400);
    EQUAL(cuGraphInstantiateWithFlags(&exec, graph, 0), 1);
    EQUAL(cuGraphLaunch(exec, device.stream), 1);
    EQUAL(launchAdd(function, {values, 1}, device.stream), 400);
    const CUfunction add = device.function("driver", "add");
    EQUAL(cuLaunchKernel(add, 1, 1, 1, 4, 1, 1, 0, device.stream, nullptr, nullptr), 1);
    EQUAL(cuLaunchKernel(add, 1, 1, 1, 4, 1, 1, 48 * 1024 + 1, device.stream, nullptr, nullptr), 1);
    // As one buffer, whose size the driver knows: it must be the struct's.
    Add args{values, 10};
    for (size_t bytes : {sizeof args, sizeof args - 4}) {
        void* extra[] = {reinterpret_cast<void*>(1), &args, reinterpret_cast<void*>(2), &bytes, nullptr};
        EQUAL(cuLaunchKernel(add, 1, 1, 1, 4, 1, 1, 0, device.stream, nullptr, extra), bytes == sizeof args ? 0 : 1);
    }
    EQUAL(device.download(values, 4)[3], 14);
}

CASE(copiesAndFills) {
    for (const char* lazy : {"0", "1"}) {
        Device device{{"FACET_EMULATED_LAZY", lazy}};
        int* from = device.upload<int>({1, 2, 3, 4});
        int* to = device.allocate<int>(4);
        EQUAL(cuMemcpyDtoDAsync_v2(address(to), address(from + 1), 12, device.stream), 0);
        EQUAL(cuMemsetD8Async(address(to + 3), 1, 4, device.stream), 0);
        CHECK(device.download(to, 4) == std::vector<int>({2, 3, 4, 0x01010101}));
    }
}

CASE(lazyStreamsShowMissingWaits) {
    Device device{{"FACET_EMULATED_LAZY", "1"}};
    int* values = device.upload<int>({1, 2, 3, 4});
    const CUfunction add = device.function("driver", "add");
    const Pinned pinned;
    pinned.values[0] = 7;
    CUevent event = nullptr;
    EQUAL(cuEventCreate(&event, 0), 0);
    EQUAL(cuEventQuery(event), 0);
    EQUAL(cuEventSynchronize(event), 0);
    EQUAL(launchAdd(add, {values, 10}, device.stream), 0);
    EQUAL(cuMemcpyDtoHAsync_v2(pinned.values, address(values), 16, device.stream), 0);
    EQUAL(cuEventRecord(event, device.stream), 0);
    EQUAL(launchAdd(add, {values, 100}, device.stream), 0);
    EQUAL(pinned.values[0], -1);  // neither the old value nor the new one
    EQUAL(cuEventSynchronize(event), 0);
    EQUAL(cuEventQuery(event), 0);
    EQUAL(pinned.values[0], 11);
    EQUAL(cuStreamQuery(device.stream), 0);  // does the last launch
    EQUAL(device.download(values, 4)[0], 111);
    EQUAL(cuEventDestroy_v2(event), 0);
}

CASE(lazyQueriesGetThereInTheEnd) {
    Device device{{"FACET_EMULATED_LAZY", "1"}};
    int* values = device.upload<int>({0, 0, 0, 0});
    CUevent event = nullptr;
    EQUAL(cuEventCreate(&event, 0), 0);
    for (int i = 0; i < 3; i++) EQUAL(launchAdd(device.function("driver", "add"), {values, 1}, device.stream), 0);
    EQUAL(cuEventRecord(event, device.stream), 0);
    int queries = 1;
    for (CUresult result; (result = cuEventQuery(event)) != 0; queries++) EQUAL(result, 600);
    EQUAL(queries, 5);  // the upload, three launches, the event
    EQUAL(cuEventDestroy_v2(event), 0);
}

CASE(pinnedSourcesAreReadLate) {
    Device device{{"FACET_EMULATED_LAZY", "1"}};
    int* values = device.allocate<int>(4);
    const Pinned pinned;
    int pageable = 5;
    pinned.values[0] = 5;
    EQUAL(cuMemcpyHtoDAsync_v2(address(values), pinned.values, 4, device.stream), 0);
    EQUAL(cuMemcpyHtoDAsync_v2(address(values + 1), &pageable, 4, device.stream), 0);
    pinned.values[0] = pageable = 6;
    const auto seen = device.download(values, 2);
    EQUAL(seen[0], 6);  // the mistake shows
    EQUAL(seen[1], 5);  // the driver has its own copy
}

CASE(eventsMeasureTime) {
    Device device;
    int* values = device.upload<int>({0, 0, 0, 0});
    CUevent from = nullptr, to = nullptr, untimed = nullptr;
    EQUAL(cuEventCreate(&from, 0) + cuEventCreate(&to, CU_EVENT_BLOCKING_SYNC) + cuEventCreate(&untimed, CU_EVENT_DISABLE_TIMING), 0);
    float milliseconds = -1;
    EQUAL(cuEventElapsedTime(&milliseconds, from, to), 400);
    EQUAL(cuEventRecord(from, device.stream), 0);
    EQUAL(launchAdd(device.function("driver", "add"), {values, 1}, device.stream), 0);
    EQUAL(cuEventRecord(to, device.stream) + cuEventRecord(untimed, device.stream), 0);
    EQUAL(cuEventElapsedTime(&milliseconds, from, to), 0);
    CHECK(milliseconds > 0);
    EQUAL(cuEventElapsedTime(&milliseconds, from, untimed), 400);
    EQUAL(cuEventDestroy_v2(from) + cuEventDestroy_v2(to) + cuEventDestroy_v2(untimed), 0);
}

CASE(graphsReplayLaunchesAndCopies) {
    for (const char* lazy : {"0", "1"}) {
        Device device{{"FACET_EMULATED_LAZY", lazy}};
        int* values = device.upload<int>({0, 0, 0, 0});
        int* copy = device.allocate<int>(4);
        const Pinned pinned;
        const CUfunction add = device.function("driver", "add");
        CUgraph graph = nullptr;
        CUgraphExec exec = nullptr;
        EQUAL(cuStreamBeginCapture_v2(device.stream, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL), 0);
        EQUAL(cuMemsetD8Async(address(values), 0, 4, device.stream), 0);
        EQUAL(launchAdd(add, {values, 5}, device.stream), 0);
        EQUAL(cuMemcpyDtoDAsync_v2(address(copy), address(values), 16, device.stream), 0);
        EQUAL(cuMemcpyDtoHAsync_v2(pinned.values, address(copy), 16, device.stream), 0);
        EQUAL(cuStreamEndCapture(device.stream, &graph), 0);
        EQUAL(cuGraphInstantiateWithFlags(&exec, graph, 0), 0);
        EQUAL(cuGraphDestroy(graph), 0);
        EQUAL(device.download(values, 4)[0], 0);  // capturing does nothing
        for (int i = 1; i <= 3; i++) {
            EQUAL(cuGraphLaunch(exec, device.stream), 0);
            EQUAL(cuStreamSynchronize(device.stream), 0);
            EQUAL(pinned.values[0], 5);
            EQUAL(pinned.values[1], 5 * i);
        }
        EQUAL(cuGraphExecDestroy(exec), 0);
        EQUAL(cuGraphExecDestroy(exec), 1);
    }
}

CASE(captureForbidsWaiting) {
    struct {
        CUresult (*call)(Device&, CUevent);
        CUresult result;
    } const forbidden[] = {
        {[](Device& device, CUevent) { return cuStreamSynchronize(device.stream); }, 900},
        {[](Device& device, CUevent) { return cuStreamQuery(device.stream); }, 900},
        {[](Device&, CUevent) { return cuCtxSynchronize(); }, 900},
        {[](Device&, CUevent event) { return cuEventSynchronize(event); }, 900},
        {[](Device&, CUevent event) { return cuEventQuery(event); }, 900},
        {[](Device&, CUevent) { CUdeviceptr pointer = 0; return cuMemAlloc_v2(&pointer, 4); }, 900},
    };
    for (const auto& each : forbidden) {
        Device device;
        CUevent event = nullptr;
        CUgraph graph = nullptr;
        EQUAL(cuEventCreate(&event, 0), 0);
        EQUAL(cuStreamBeginCapture_v2(device.stream, 0), 0);
        EQUAL(cuStreamBeginCapture_v2(device.stream, 0), 401);
        EQUAL(each.call(device, event), each.result);
        EQUAL(cuStreamEndCapture(device.stream, &graph), 901);
        CHECK(!graph);
        EQUAL(cuStreamEndCapture(device.stream, &graph), 401);
        EQUAL(cuEventDestroy_v2(event), 0);
    }
}

CASE(captureHasRules) {
    Device device;
    int* values = device.allocate<int>(4);
    int pageable[4] = {};
    CUgraph graph = nullptr;
    CUevent event = nullptr;
    EQUAL(cuEventCreate(&event, 0), 0);
    EQUAL(cuStreamBeginCapture_v2(nullptr, 0), 900);
    EQUAL(cuStreamBeginCapture_v2(device.stream, 3), 1);
    EQUAL(cuStreamBeginCapture_v2(device.stream, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL), 0);
    EQUAL(cuMemcpyHtoDAsync_v2(address(values), pageable, 16, device.stream), 900);
    EQUAL(cuMemcpyDtoHAsync_v2(pageable, address(values), 16, device.stream), 900);
    EQUAL(cuEventRecord(event, device.stream), 0);
    CUresult result = 0;
    std::thread([&, context = device.context] {
        cuCtxSetCurrent(context);
        result = cuStreamEndCapture(device.stream, &graph);
    }).join();
    EQUAL(result, 908);
    EQUAL(cuStreamEndCapture(device.stream, &graph), 0);
    EQUAL(cuEventQuery(event), 907);
    EQUAL(cuGraphDestroy(graph), 0);
    EQUAL(cuGraphDestroy(graph), 1);
    EQUAL(cuEventDestroy_v2(event), 0);

    CUstream blocking = nullptr;
    EQUAL(cuStreamCreate(&blocking, 0), 0);
    EQUAL(cuStreamBeginCapture_v2(blocking, 0), 0);
    EQUAL(cuMemsetD8Async(address(values), 0, 16, nullptr), 906);
    EQUAL(cuStreamEndCapture(blocking, &graph), 901);
    EQUAL(cuStreamDestroy_v2(blocking), 0);
}

CASE(modulesAreChecked) {
    const Device device{{"FACET_EMULATED_DRIVER", "11040"}};
    const auto load = [](const std::string& text, CUmodule* module) {
        char log[200] = "";
        int options[] = {CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES};
        void* values[] = {log, reinterpret_cast<void*>(sizeof log)};
        const CUresult result = cuModuleLoadDataEx(module, text.c_str(), 2, options, values);
        return std::pair(result, std::string(log));
    };
    CUmodule module = nullptr;
    CUfunction function = nullptr;
    EQUAL(load("rubbish", &module).first, 218);
    CHECK(load("rubbish", &module).second.find("no PTX") != std::string::npos);
    EQUAL(load(".version 7.8\n.target sm_80\n", &module).first, 222);
    EQUAL(load(".version 7.0\n.target sm_90\n", &module).first, 209);
    EQUAL(load("//\n.version 7.0\n.target sm_75\n.visible .entry add(\n.param .b8 x[16])\n{ret;}\n.visible .entry unknown(\n", &module).first, 0);
    EQUAL(cuModuleGetFunction(&function, module, "add"), 0);
    EQUAL(cuModuleGetFunction(&function, module, "unknown"), 500);
    EQUAL(cuModuleGetFunction(&function, module, "diverge"), 500);
    EQUAL(cuModuleUnload(module), 0);
    EQUAL(launchAdd(function, {nullptr, 1}, device.stream), 400);
    EQUAL(load("facet-emulated module driver\n", &module).first, 0);
    EQUAL(cuModuleGetFunction(&function, module, "add"), 0);
    EQUAL(cuModuleGetFunction(&function, module, "shuffles"), 500);
    EQUAL(cuModuleUnload(module), 0);
}

CASE(plannedFailuresHappenOnce) {
    Device device{{"FACET_EMULATED_FAIL", "cuMemAlloc_v2:2:2,cuStreamSynchronize:1:700"}};
    CUdeviceptr pointer = 0, second = 0;
    EQUAL(cuMemAlloc_v2(&pointer, 4), 0);
    EQUAL(cuMemAlloc_v2(&second, 4), 2);
    EQUAL(cuMemAlloc_v2(&second, 4), 0);
    EQUAL(cuStreamSynchronize(device.stream), 700);
    EQUAL(cuStreamSynchronize(device.stream), 0);
    EQUAL(cuMemFree_v2(pointer) + cuMemFree_v2(second), 0);
}

CASE(aFaultKillsTheContext) {
    for (const char* lazy : {"0", "1"}) {
        Device device{{"FACET_EMULATED_LAZY", lazy}};
        int* values = device.upload<int>({1, 2, 3, 4});
        EQUAL(launchAdd(device.function("driver", "diverge"), {values, 1}, device.stream), 0);  // a launch does not wait for its kernel
        EQUAL(cuStreamSynchronize(device.stream), 719);
        CHECK(std::string(facetEmulatedLastFault()).find("kernel diverge") != std::string::npos);
        CUdeviceptr pointer = 0;
        EQUAL(cuMemAlloc_v2(&pointer, 4), 719);
        EQUAL(cuStreamSynchronize(device.stream), 719);
        EQUAL(launchAdd(nullptr, {values, 1}, device.stream), 719);
        EQUAL(cuCtxSynchronize(), 719);
        int count = 0;
        EQUAL(cuDeviceGetCount(&count), 0);
    }  // what is freed is gone all the same: the device checks that nothing is left
}

CASE(leaksAreCounted) {
    Device device;
    CUevent event = nullptr;
    CUdeviceptr pointer = 0;
    const auto has = [](const char* text) { return std::string(facetEmulatedCounts()).find(text) != std::string::npos; };
    CHECK(has("\"contexts\":1") && has("\"streams\":1") && has("\"events\":0"));
    EQUAL(cuEventCreate(&event, 0) + cuMemAlloc_v2(&pointer, 100), 0);
    CHECK(has("\"events\":1") && has("\"allocations\":1") && has("\"bytes\":100"));
    EQUAL(cuEventDestroy_v2(event) + cuMemFree_v2(pointer), 0);
    CHECK(has("\"events\":0") && has("\"allocations\":0") && has("\"bytes\":0"));
}

#if !__has_feature(address_sanitizer)
CASE(freedMemoryIsOutOfReach) {
    Device device;
    CUdeviceptr pointer = 0;
    EQUAL(cuMemAlloc_v2(&pointer, 4096), 0);
    EQUAL(cuMemFree_v2(pointer), 0);
    device.fails(700, {"kernel add", "in an allocation of 4096 bytes that was freed"}, device.function("driver", "add"), {1}, {1}, Add{reinterpret_cast<int*>(pointer), 1});
}
#endif

}  // namespace
