// Warp operations.
#include "check.h"
#include "../../device/emulated.cuh"

using namespace selftest;

namespace {

struct Words {
    unsigned* out;
    int* signedOut;
    float* floatOut;
};

constexpr unsigned all = 0xffffffffu;

GPU_KERNEL(shuffles, Words) {
    const unsigned t = threadIdx.x, base = t * 4;
    args.out[base] = __shfl_xor_sync(all, t, 5);
    args.out[base + 1] = __shfl_down_sync(all, t, 3);
    args.out[base + 2] = __shfl_sync(all, t, 40);
    args.out[base + 3] = __ballot_sync(all, t % 3 == 0);
    args.signedOut[t] = __shfl_xor_sync(all, -static_cast<int>(t), 16);
    args.floatOut[t] = __shfl_sync(all, 0.5f * static_cast<float>(t), 31 - static_cast<int>(t % 32));
}

GPU_KERNEL(sums, Words) {
    float sum = static_cast<float>(threadIdx.x);
    for (int lanes = 16; lanes; lanes /= 2) sum += __shfl_xor_sync(all, sum, lanes);
    args.floatOut[threadIdx.x] = sum;
}

GPU_KERNEL(readsExitedLane, Words) {
    if (threadIdx.x == 9) return;
    args.out[threadIdx.x] = __shfl_xor_sync(all, threadIdx.x, 1);
}

GPU_KERNEL(ignoresExitedLane, Words) {
    if (threadIdx.x >= 16) return;
    args.out[threadIdx.x] = __shfl_xor_sync(all, threadIdx.x, 1);
    args.out[16 + threadIdx.x] = __ballot_sync(all, 1);
}

GPU_KERNEL(divergedWarp, Words) {
    if (threadIdx.x < 16) args.out[threadIdx.x] = __shfl_xor_sync(all, threadIdx.x, 1);
    else args.out[threadIdx.x] = __shfl_xor_sync(all, threadIdx.x, 2);
}

GPU_KERNEL(partMask, Words) { args.out[threadIdx.x] = __shfl_xor_sync(0xffffu, threadIdx.x, 1); }

CASE(shufflesExchange) {
    for (const char* order : orders) {
        Device device{{"FACET_EMULATED_ORDER", order}};
        constexpr unsigned threads = 96;
        const Words words{device.allocate<unsigned>(threads * 4), device.allocate<int>(threads), device.allocate<float>(threads)};
        EQUAL(device.launch(device.function("warps", "shuffles"), {1}, {threads}, words), 0);
        const auto out = device.download(words.out, threads * 4);
        const auto signedOut = device.download(words.signedOut, threads);
        const auto floatOut = device.download(words.floatOut, threads);
        for (unsigned t = 0; t < threads; t++) {
            const unsigned warp = t / 32 * 32, lane = t % 32;
            EQUAL(out[t * 4], warp + (lane ^ 5));
            EQUAL(out[t * 4 + 1], lane < 29 ? t + 3 : t);
            EQUAL(out[t * 4 + 2], warp + 8);
            unsigned votes = 0;
            for (unsigned other = 0; other < 32; other++) votes |= ((warp + other) % 3 == 0 ? 1u : 0u) << other;
            EQUAL(out[t * 4 + 3], votes);
            EQUAL(signedOut[t], -static_cast<int>(warp + (lane ^ 16)));
            CHECK(floatOut[t] == 0.5f * static_cast<float>(warp + 31 - lane));
        }
    }
}

CASE(butterfliesSum) {
    for (const char* order : orders) {
        Device device{{"FACET_EMULATED_ORDER", order}};
        const Words words{nullptr, nullptr, device.allocate<float>(512)};
        EQUAL(device.launch(device.function("warps", "sums"), {1}, {512}, words), 0);
        const auto sums = device.download(words.floatOut, 512);
        for (unsigned t = 0; t < 512; t++) EQUAL(static_cast<int>(sums[t]), t / 32 * 32 * 32 + 31 * 32 / 2);
    }
}

CASE(shuffleFromAnExitedLaneIsAFault) {
    for (const char* order : orders) {
        Device device{{"FACET_EMULATED_ORDER", order}};
        device.fails(719, {"kernel readsExitedLane", "__shfl_xor_sync", "lane 8 reads from lane 9", "warps.cc:"}, device.function("warps", "readsExitedLane"), {1},
                     {32}, Words{device.allocate<unsigned>(32), nullptr, nullptr});
    }
}

CASE(shuffleFromALaneThatNeverWasIsAFault) {
    Device device;
    device.fails(719, {"lane 8 reads from lane 9, which has exited or never was"}, device.function("warps", "ignoresExitedLane"), {1}, {9}, Words{device.allocate<unsigned>(32), nullptr, nullptr});
}

CASE(exitedLanesThatNobodyReadsAreLeftOut) {
    for (const char* order : orders) {
        Device device{{"FACET_EMULATED_ORDER", order}};
        unsigned* out = device.allocate<unsigned>(32);
        EQUAL(device.launch(device.function("warps", "ignoresExitedLane"), {1}, {32}, Words{out, nullptr, nullptr}), 0);
        const auto seen = device.download(out, 32);
        for (unsigned t = 0; t < 16; t++) {
            EQUAL(seen[t], t ^ 1);
            EQUAL(seen[16 + t], 0xffff);
        }
    }
}

CASE(divergedWarpIsAFault) {
    for (const char* order : orders) {
        Device device{{"FACET_EMULATED_ORDER", order}};
        device.fails(719, {"kernel divergedWarp", "other lanes of its warp wait at __shfl_xor_sync", "warps.cc:"}, device.function("warps", "divergedWarp"), {1},
                     {32}, Words{device.allocate<unsigned>(32), nullptr, nullptr});
    }
}

CASE(partMaskIsAFault) {
    Device device;
    device.fails(719, {"mask 0x0000ffff", "full mask"}, device.function("warps", "partMask"), {1}, {32}, Words{device.allocate<unsigned>(32), nullptr, nullptr});
}

}  // namespace
