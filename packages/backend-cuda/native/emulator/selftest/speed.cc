// How fast it is: only when asked for, with the argument "speed". In time of the processor, which other work does not count into.
#include <cstdio>
#include <ctime>

#include "check.h"
#include "../../device/emulated.cuh"

using namespace selftest;

namespace {

struct Rounds {
    float* out;
    int count;
};

GPU_KERNEL(barriers, Rounds) {
    for (int i = 0; i < args.count; i++) __syncthreads();
}
GPU_KERNEL(shuffleRounds, Rounds) {
    float sum = 1;
    for (int i = 0; i < args.count; i++) sum += __shfl_xor_sync(~0u, sum, 1);
    args.out[threadIdx.x] = sum;
}
GPU_KERNEL(sharedRounds, Rounds) {
    GPU_SHARED(float, values, 128);
    values[threadIdx.x] = 1;
    __syncthreads();
    float sum = 0;
    for (int i = 0; i < args.count; i++) sum += values[(static_cast<int>(threadIdx.x) + i) & 127];
    args.out[threadIdx.x] = sum;
}
GPU_KERNEL(nothing, Rounds) { (void)args; }
GPU_KERNEL(products, Rounds) {
    float d[4] = {};
    const unsigned a[4] = {1, 2, 3, 4}, b[2] = {5, 6};
    for (int i = 0; i < args.count; i++) mmaF16(d, a, b);
    args.out[threadIdx.x] = d[0];
}

void measure(const char* kernel, unsigned blocks, int rounds, const char* unit, double units, const char* check = "0") {
    Device device{{"FACET_EMULATED_CHECK", check}};
    float* out = device.allocate<float>(128);
    const std::clock_t start = std::clock();
    EQUAL(device.launch(device.function("speed", kernel), {blocks}, {128}, Rounds{out, rounds}), 0);
    const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
    std::printf("  %s%s: %u blocks of 128 threads, %d rounds: %.3f s, %.1f ns a %s\n", kernel, *check == '1' ? ", checked" : "", blocks, rounds, seconds,
                seconds * 1e9 / units, unit);
}

CASE(speed) {
    measure("barriers", 1000, 100, "switch", 128.0 * 100 * 1000);
    measure("shuffleRounds", 1000, 100, "switch", 128.0 * 100 * 1000);
    measure("sharedRounds", 1000, 1000, "read", 128.0 * 1000 * 1000);
    measure("sharedRounds", 100, 1000, "read", 128.0 * 1000 * 100, "1");
    measure("nothing", 100000, 0, "thread", 128.0 * 100000);
    measure("products", 10, 1000, "warp's product", 4.0 * 1000 * 10);
}

}  // namespace
