// Shared memory: contents, bounds, alignment, races, and copies that are on their way.
#include <cmath>

#include "check.h"
#include "../../device/emulated.cuh"

using namespace selftest;

namespace {

struct Floats {
    const float* in;
    float* out;
    int count;
};

GPU_KERNEL(startsAsNan, Floats) {
    GPU_SHARED(float, values, 8);
    args.out[threadIdx.x] = values[threadIdx.x];
}

GPU_DEVICE float sumOf(Shared<float> values, int count) {
    float sum = 0;
    for (int i = 0; i < count; i++) sum += values[i];
    return sum;
}

// Views, vectors, and compound assignments.
GPU_KERNEL(views, Floats) {
    GPU_SHARED(float, values, 32);
    GPU_SHARED(unsigned short, halves, 8);
    const int t = static_cast<int>(threadIdx.x);
    if (t < 8) storeShared(values, t * 4, loadGlobal(reinterpret_cast<const float4*>(args.in) + t));
    if (t < 8) halves[t] = static_cast<unsigned short>(t);
    __syncthreads();
    if (t == 0) {
        Shared<float> upper = values.at(16);
        upper[0] += 100;
        upper[1] *= 2;
        upper[2] = upper[3];
        args.out[0] = sumOf(upper, 16);
        const float4 vector = loadShared<float4>(values.at(4), 8);
        args.out[1] = vector.x + vector.y + vector.z + vector.w;
        const uint2 packed = loadShared<uint2>(halves, 4);
        args.out[2] = static_cast<float>(packed.x);
        args.out[3] = static_cast<float>(packed.y);
    }
}

GPU_KERNEL(outOfBounds, Floats) {
    GPU_SHARED(float, values, 8);
    values.at(4)[args.count] = 1;
}

GPU_KERNEL(misalignedShared, Floats) {
    GPU_SHARED(float, values, 16);
    args.out[0] = loadShared<float4>(values, args.count).x;
}

GPU_KERNEL(misalignedGlobal, Floats) { args.out[0] = loadGlobal(reinterpret_cast<const float4*>(args.in + args.count)).x; }

GPU_KERNEL(behindTheEnd, Floats) { args.out[0] = loadGlobal(args.in + args.count); }

GPU_KERNEL(tooMuchShared, Floats) {
    GPU_SHARED(float, first, 8 * 1024);
    GPU_SHARED(float, second, 4 * 1024 + 1);
    first[0] = second[0];
}

// The barrier that is missing: between the write and the read of another thread.
GPU_KERNEL(missingBarrier, Floats) {
    GPU_SHARED(float, values, 64);
    values[threadIdx.x] = 1;
    if (args.count == 1) __syncwarp();
    if (args.count == 2) __syncthreads();
    args.out[threadIdx.x] = values[(threadIdx.x + 1) % 64];
}

// The second one is missing: a fast thread writes what a slow one has not read yet.
GPU_KERNEL(missingSecondBarrier, Floats) {
    GPU_SHARED(float, values, 64);
    for (int i = 0; i < 2; i++) {
        values[threadIdx.x] = static_cast<float>(i);
        __syncthreads();
        args.out[threadIdx.x] = values[63 - threadIdx.x];
    }
}

GPU_KERNEL(twoWriters, Floats) {
    GPU_SHARED(float, values, 4);
    values[args.count] = static_cast<float>(threadIdx.x);
    __syncthreads();
    args.out[threadIdx.x] = values[args.count];
}

// Within a warp, __syncwarp is enough; a shuffle is not, since it orders no memory.
GPU_KERNEL(withinWarps, Floats) {
    GPU_SHARED(float, values, 64);
    values[threadIdx.x] = static_cast<float>(threadIdx.x);
    if (args.count == 0) __syncwarp();
    else (void)__shfl_xor_sync(~0u, 1, 1);
    args.out[threadIdx.x] = values[threadIdx.x ^ 1];
}

// Neighbouring bytes of one word, by different threads: no race.
GPU_KERNEL(neighbours, Floats) {
    GPU_SHARED(unsigned char, bytes, 64);
    bytes[threadIdx.x] = static_cast<unsigned char>(threadIdx.x);
    __syncthreads();
    args.out[threadIdx.x] = bytes[63 - threadIdx.x];
}

GPU_KERNEL(counts, Floats) {
    GPU_SHARED(int, counter, 2);
    if (threadIdx.x < 2) counter[threadIdx.x] = 0;
    __syncthreads();
    atomicAdd(&counter[0], 1);
    atomicMax(&counter[1], static_cast<int>(threadIdx.x));
    if (args.count == 0) __syncthreads();
    args.out[threadIdx.x] = static_cast<float>(counter[0] + counter[1]);
}

// Two stages: the second copy is on its way while the first is used.
GPU_KERNEL(copies, Floats) {
    GPU_SHARED(float, stages, 2 * 128);
    const int t = static_cast<int>(threadIdx.x);
    for (int stage = 0; stage < 2; stage++) {
        copyAsync16(stages, stage * 128 + t * 4, args.in + stage * 128 + t * 4, stage == 0 || t < args.count);
        copyAsyncCommit();
    }
    copyAsyncWait<1>();
    __syncthreads();
    args.out[t] = stages[(t * 4 + 4) % 128];
    copyAsyncWait<0>();
    __syncthreads();
    args.out[32 + t] = stages[128 + (t * 4 + 4) % 128];
}

// What `copies` does, without one of the things that it needs: 0 the wait, 1 the commit, 2 the barrier.
GPU_KERNEL(carelessCopies, Floats) {
    GPU_SHARED(float, stage, 128);
    const int t = static_cast<int>(threadIdx.x);
    copyAsync16(stage, t * 4, args.in + t * 4, true);
    if (args.count != 1) copyAsyncCommit();
    if (args.count != 0) copyAsyncWait<0>();
    if (args.count != 2) __syncthreads();
    args.out[t] = stage[(t * 4 + 4) % 128];
}

constexpr const char* module = "shared-memory";

Floats floats(Device& device, int count, std::size_t in = 256, std::size_t out = 64) {
    std::vector<float> values(in);
    for (std::size_t i = 0; i < in; i++) values[i] = static_cast<float>(i);
    return {device.upload(values), device.allocate<float>(out), count};
}

CASE(sharedMemoryStartsAsNan) {
    Device device;
    const Floats args = floats(device, 0);
    for (int i = 0; i < 2; i++) {  // the second launch would find what another kernel left
        EQUAL(device.launch(device.function(module, "startsAsNan"), {2}, {8}, args), 0);
        for (float value : device.download(args.out, 8)) CHECK(std::isnan(value));
        EQUAL(device.launch(device.function(module, "missingBarrier"), {1}, {64}, args), 0);
    }
}

CASE(newAllocationsAreNan) {
    Device device;
    for (float value : device.download(device.allocate<float>(1000), 1000)) CHECK(std::isnan(value));
}

CASE(viewsAndVectorsWork) {
    for (const char* order : orders) {
        Device device{{"FACET_EMULATED_ORDER", order}, {"FACET_EMULATED_CHECK", "1"}};
        const Floats args = floats(device, 0);
        EQUAL(device.launch(device.function(module, "views"), {1}, {32}, args), 0);
        const auto out = device.download(args.out, 4);
        // 16 … 31 sum to 376; 16 grows by 100, 17 doubles, 18 becomes 19.
        EQUAL(static_cast<int>(out[0]), 376 + 100 + 17 + 1);
        EQUAL(static_cast<int>(out[1]), 12 + 13 + 14 + 15);
        EQUAL(static_cast<int>(out[2]), 5 << 16 | 4);
        EQUAL(static_cast<int>(out[3]), 7 << 16 | 6);
    }
}

CASE(sharedIndexOutOfBoundsIsAFault) {
    for (const int index : {4, -1, 100}) {
        Device device;
        device.fails(700, {"kernel outOfBounds", ("uses element " + std::to_string(index) + " of values[4], from element 4 of values[8] on").c_str()},
                     device.function(module, "outOfBounds"), {1}, {1}, floats(device, index));
    }
    Device device;
    EQUAL(device.launch(device.function(module, "outOfBounds"), {1}, {1}, floats(device, 3)), 0);
}

CASE(misalignedVectorsAreFaults) {
    {
        Device device;
        device.fails(716, {"kernel misalignedShared", "16 bytes at once at element 2 of values"}, device.function(module, "misalignedShared"), {1}, {1}, floats(device, 2));
    }
    {
        Device device;
        device.fails(716, {"kernel misalignedGlobal", "reads 16 bytes", "shared-memory.cc:"}, device.function(module, "misalignedGlobal"), {1}, {1}, floats(device, 1));
    }
}

CASE(globalReadsOutOfBoundsAreFaultsWhenChecked) {
    Device device{{"FACET_EMULATED_CHECK", "1"}};
    device.fails(700, {"kernel behindTheEnd", "reads 4 bytes", "8 bytes behind the end of an allocation of 1024 bytes", "shared-memory.cc:"},
                 device.function(module, "behindTheEnd"), {1}, {1}, floats(device, 258));
}

CASE(tooMuchSharedMemoryIsAFault) {
    Device device;
    device.fails(719, {"kernel tooMuchShared", "more than 49152 bytes", "second[4097]"}, device.function(module, "tooMuchShared"), {1}, {1}, floats(device, 0));
}

CASE(racesAreFound) {
    struct {
        const char* kernel;
        int count;
        const char* fragment;
    } const races[] = {
        {"missingBarrier", 0, "reads values["},          {"missingBarrier", 1, "reads values["}, {"missingSecondBarrier", 0, "writes values["},
        {"twoWriters", 3, "writes values[3], which thread"}, {"withinWarps", 1, "reads values["},    {"counts", 1, "counter[0], which thread"},
    };
    for (const char* order : orders) {
        for (const auto& race : races) {
            // A race between a read and a write shows from either side, whichever comes first.
            Device device{{"FACET_EMULATED_ORDER", order}, {"FACET_EMULATED_CHECK", "1"}};
            const bool eitherSide = std::strstr(race.fragment, "reads") || !std::strcmp(race.kernel, "missingSecondBarrier");
            device.fails(719, {race.kernel, eitherSide ? "s values[" : race.fragment, "with no barrier between them"}, device.function(module, race.kernel), {1}, {64},
                         floats(device, race.count));
        }
    }
}

CASE(synchronisedAccessIsNoRace) {
    struct {
        const char* kernel;
        int count;
    } const calm[] = {{"missingBarrier", 2}, {"withinWarps", 0}, {"neighbours", 0}, {"counts", 0}};
    for (const char* order : orders) {
        for (const auto& each : calm) {
            Device device{{"FACET_EMULATED_ORDER", order}, {"FACET_EMULATED_CHECK", "1"}};
            const Floats args = floats(device, each.count);
            EQUAL(device.launch(device.function(module, each.kernel), {3}, {64}, args), 0);
            if (!std::strcmp(each.kernel, "counts"))
                for (float value : device.download(args.out, 64)) EQUAL(static_cast<int>(value), 64 + 63);
        }
    }
}

CASE(asynchronousCopiesArrive) {
    for (const char* capability : {"8.0", "7.5"}) {
        for (const char* order : orders) {
            Device device{{"FACET_EMULATED_ORDER", order}, {"FACET_EMULATED_CHECK", "1"}, {"FACET_EMULATED_CAPABILITY", capability}};
            const Floats args = floats(device, 20);
            EQUAL(device.launch(device.function(module, "copies"), {1}, {32}, args), 0);
            const auto out = device.download(args.out, 64);
            for (int t = 0; t < 32; t++) {
                EQUAL(static_cast<int>(out[static_cast<std::size_t>(t)]), (t * 4 + 4) % 128);
                // Copies of threads from 20 on are not valid: zeros.
                EQUAL(static_cast<int>(out[static_cast<std::size_t>(32 + t)]), (t + 1) % 32 < 20 ? 128 + (t * 4 + 4) % 128 : 0);
            }
        }
    }
}

CASE(carelessCopiesAreFound) {
    const char* const fragments[] = {"has not waited for", "has not waited for", "with no barrier between them"};
    for (const char* order : orders) {
        for (int careless = 0; careless < 3; careless++) {
            Device device{{"FACET_EMULATED_ORDER", order}, {"FACET_EMULATED_CHECK", "1"}};
            // Without the barrier, whoever comes first finds the other's copy not begun, not waited for, or not ordered.
            device.fails(719, {"kernel carelessCopies", "s stage[", careless < 2 ? fragments[careless] : ", which thread"}, device.function(module, "carelessCopies"), {1},
                         {32}, floats(device, careless));
        }
    }
}

CASE(copiesNotWaitedForAreNanUnchecked) {
    Device device;
    const Floats args = floats(device, 0);
    EQUAL(device.launch(device.function(module, "carelessCopies"), {1}, {32}, args), 0);
    for (float value : device.download(args.out, 32)) CHECK(std::isnan(value));
}

}  // namespace
