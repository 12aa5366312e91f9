// Threads, blocks, barriers, and what goes wrong with them.
#include "check.h"
#include "../../device/emulated.cuh"

using namespace selftest;

namespace {

struct OneBuffer {
    unsigned* out;
};

struct Values {
    const float* in;
    float* out;
    int count;
};

GPU_KERNEL(position, OneBuffer) {
    const unsigned thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
    const unsigned block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
    args.out[block * blockDim.x * blockDim.y * blockDim.z + thread] += block * 1000 + thread;
}

// Each thread reads what another has written, again and again.
GPU_KERNEL(rotate, Values) {
    GPU_SHARED(float, values, 256);
    const unsigned t = threadIdx.x;
    float own = args.in[blockIdx.x * blockDim.x + t];
    for (int round = 0; round < args.count; round++) {
        values[t] = own;
        __syncthreads();
        own = values[(t + 1) % blockDim.x];
        __syncthreads();
    }
    args.out[blockIdx.x * blockDim.x + t] = own;
}

GPU_KERNEL(exitBeforeBarrier, OneBuffer) {
    if (threadIdx.x == 5) return;
    __syncthreads();
    args.out[threadIdx.x] = 1;
}

GPU_KERNEL(twoBarriers, OneBuffer) {
    if (threadIdx.x < 32) __syncthreads();
    else __syncthreads();
    args.out[threadIdx.x] = 1;
}

GPU_KERNEL(barrierAgainstWarp, OneBuffer) {
    if (threadIdx.x == 0) __syncthreads();
    else __syncwarp();
    args.out[threadIdx.x] = 1;
}

GPU_KERNEL(deepStack, OneBuffer) {
    volatile char large[256 * 1024];
    large[args.out[0]] = 1;
    args.out[0] = static_cast<unsigned>(large[args.out[0]]);
}

GPU_KERNEL(divide, OneBuffer) { args.out[0] = args.out[1] / args.out[0]; }

GPU_KERNEL_BOUNDS(atMost64, OneBuffer, 64) { args.out[threadIdx.x] = 1; }

CASE(everyThreadRunsOnceInEveryOrder) {
    for (const char* order : orders) {
        Device device{{"FACET_EMULATED_ORDER", order}};
        constexpr unsigned blocks = 3 * 4 * 2, threads = 8 * 5 * 3;
        unsigned* out = device.upload(std::vector<unsigned>(blocks * threads));
        EQUAL(device.launch(device.function("threads", "position"), {3, 4, 2}, {8, 5, 3}, OneBuffer{out}), 0);
        const std::vector<unsigned> seen = device.download(out, blocks * threads);
        for (unsigned i = 0; i < blocks * threads; i++) EQUAL(seen[i], i / threads * 1000 + i % threads);
    }
}

CASE(barriersPassValuesOn) {
    for (const char* order : orders) {
        for (const unsigned threads : {1u, 32u, 100u, 256u}) {
            Device device{{"FACET_EMULATED_ORDER", order}, {"FACET_EMULATED_CHECK", "1"}};
            std::vector<float> values(threads * 3);
            for (std::size_t i = 0; i < values.size(); i++) values[i] = static_cast<float>(i);
            float* out = device.allocate<float>(values.size());
            EQUAL(device.launch(device.function("threads", "rotate"), {3}, {threads}, Values{device.upload(values), out, 7}), 0);
            const std::vector<float> seen = device.download(out, values.size());
            for (unsigned i = 0; i < threads * 3; i++) EQUAL(static_cast<int>(seen[i]), i / threads * threads + (i % threads + 7) % threads);
        }
    }
}

CASE(exitBeforeBarrierIsAFault) {
    for (const char* order : orders) {
        Device device{{"FACET_EMULATED_ORDER", order}};
        device.fails(719, {"kernel exitBeforeBarrier, block (0, 0, 0)", "(5, 0, 0)", "__syncthreads", "threads.cc:"},
                     device.function("threads", "exitBeforeBarrier"), {1}, {64}, OneBuffer{device.allocate<unsigned>(64)});
    }
}

CASE(twoBarriersAreAFault) {
    for (const char* order : orders) {
        Device device{{"FACET_EMULATED_ORDER", order}};
        device.fails(719, {"kernel twoBarriers", "waits at another one", "threads.cc:"}, device.function("threads", "twoBarriers"), {1}, {64},
                     OneBuffer{device.allocate<unsigned>(64)});
    }
}

CASE(barrierAgainstWarpIsAFault) {
    for (const char* order : orders) {
        Device device{{"FACET_EMULATED_ORDER", order}};
        device.fails(719, {"kernel barrierAgainstWarp", "__syncwarp", "thread (0, 0, 0) of its warp, which waits at __syncthreads"},
                     device.function("threads", "barrierAgainstWarp"), {1}, {32}, OneBuffer{device.allocate<unsigned>(32)});
    }
}

CASE(afterAFaultAFreshDriverWorks) {
    for (int i = 0; i < 3; i++) {
        exitBeforeBarrierIsAFault();
        barriersPassValuesOn();
    }
}

#if !__has_feature(address_sanitizer)
// With AddressSanitizer, that ends the process with a report.
CASE(signalsBecomeFaults) {
    {
        Device device;
        device.fails(719, {"kernel deepStack", "more stack"}, device.function("threads", "deepStack"), {1}, {1}, OneBuffer{device.upload<unsigned>({1})});
    }
    {
        Device device;
        device.fails(719, {"kernel divide", "by zero"}, device.function("threads", "divide"), {1}, {1}, OneBuffer{device.upload<unsigned>({0, 0})});
    }
    {
        Device device;
        unsigned* out = device.allocate<unsigned>(8);
        device.fails(700, {"kernel position, block (0, 0, 0), thread", "address 0x", "behind the end of an allocation of 32 bytes"},
                     device.function("threads", "position"), {1}, {1024}, OneBuffer{out + 64});
    }
    {
        Device device;
        device.fails(700, {"kernel position", "outside of all allocations"}, device.function("threads", "position"), {1}, {1}, OneBuffer{nullptr});
    }
}

CASE(writesJustBehindAnAllocationAreFound) {
    Device device;
    unsigned* out = device.allocate<unsigned>(8);
    device.fails(700, {"wrote to memory 4 bytes behind the end of an allocation of 32 bytes"}, device.function("threads", "atMost64"), {1}, {1},
                 OneBuffer{out + 9});
}
#endif

CASE(launchLimitsAreChecked) {
    Device device;
    const CUfunction function = device.function("threads", "atMost64");
    const OneBuffer args{device.allocate<unsigned>(64)};
    EQUAL(device.launch(function, {1}, {64}, args), 0);
    EQUAL(device.launch(function, {1}, {65}, args), 1);
    EQUAL(device.launch(function, {0}, {64}, args), 1);
    EQUAL(device.launch(function, {1, 65536}, {1}, args), 1);
    EQUAL(device.launch(device.function("threads", "position"), {1}, {32, 33}, args), 1);
    int most = 0;
    EQUAL(cuFuncGetAttribute(&most, 0, function), 0);
    EQUAL(most, 64);
}

}  // namespace
