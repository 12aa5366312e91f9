// Products of matrices against plain ones, and conversions of numbers.
#include <bit>
#include <cmath>
#include <random>

#include "check.h"
#include "../../device/emulated.cuh"

using namespace selftest;

namespace {

struct Fragments {
    const unsigned* a;  // [32, 4]
    const unsigned* b;  // [32, 2]
    void* d;            // [32, 4]
};

template <typename Sum>
GPU_DEVICE void multiply(const Fragments& args, void (&product)(Sum (&)[4], const unsigned (&)[4], const unsigned (&)[2])) {
    const unsigned lane = threadIdx.x;
    unsigned a[4], b[2];
    Sum d[4];
    for (unsigned i = 0; i < 4; i++) a[i] = args.a[lane * 4 + i], d[i] = static_cast<Sum*>(args.d)[lane * 4 + i];
    for (unsigned i = 0; i < 2; i++) b[i] = args.b[lane * 2 + i];
    product(d, a, b);
    for (unsigned i = 0; i < 4; i++) static_cast<Sum*>(args.d)[lane * 4 + i] = d[i];
}

GPU_KERNEL(multiplyHalves, Fragments) {
    multiply<float>(args, *+[](float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2]) { mmaF16(d, a, b); });
}
GPU_KERNEL(multiplyBytes, Fragments) {
    multiply<int>(args, *+[](int (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2]) { mmaS8(d, a, b); });
}
GPU_KERNEL(multiplyPartly, Fragments) {
    if (threadIdx.x == 7) return;
    multiply<float>(args, *+[](float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2]) { mmaF16(d, a, b); });
}

// The layouts a second way, from CUTLASS' traits of the same instructions (cute/atom/mma_traits_sm80.hpp, as MoYe.jl restates them in
// src/traits/mma_sm80.jl): a mixed-radix number (lane in fours and eights, then the value's digits) times strides gives an index into a matrix
// stored by columns, of 16 rows for a and d, and of 8 for the transposed b.
struct Layout {
    unsigned sizes[5], strides[5];
    unsigned index(unsigned lane, unsigned value) const {
        unsigned digits = lane + 32 * value, sum = 0;
        for (unsigned i = 0; i < 5; i++) {
            sum += digits % sizes[i] * strides[i];
            digits /= sizes[i];
        }
        return sum;
    }
};
constexpr Layout halvesA{{4, 8, 2, 2, 2}, {32, 1, 16, 8, 128}}, halvesB{{4, 8, 2, 2, 1}, {16, 1, 8, 64, 0}};
constexpr Layout bytesA{{4, 8, 4, 2, 2}, {64, 1, 16, 8, 256}}, bytesB{{4, 8, 4, 2, 1}, {32, 1, 8, 128, 0}};
constexpr Layout sums{{4, 8, 2, 2, 1}, {32, 1, 16, 8, 0}};

/** Matrices of small whole numbers, whose products and sums every number type holds exactly. */
template <typename Sum>
void compareWithPlainProduct(const char* kernel, unsigned depth, const Layout& layoutA, const Layout& layoutB, unsigned bits, unsigned (*encode)(int)) {
    Device device;
    std::mt19937 random(1);
    std::uniform_int_distribution<int> whole(-7, 7);
    const unsigned perWord = 32 / bits;
    std::vector<int> a(16 * depth), b(8 * depth), c(16 * 8);
    for (auto* values : {&a, &b, &c})
        for (int& value : *values) value = whole(random);
    std::vector<unsigned> wordsA(32 * 4), wordsB(32 * 2);
    std::vector<Sum> d(32 * 4);
    for (unsigned lane = 0; lane < 32; lane++) {
        for (unsigned i = 0; i < 4 * perWord; i++)
            wordsA[lane * 4 + i / perWord] |= encode(a[layoutA.index(lane, i)]) << i % perWord * bits;
        for (unsigned i = 0; i < 2 * perWord; i++)
            wordsB[lane * 2 + i / perWord] |= encode(b[layoutB.index(lane, i)]) << i % perWord * bits;
        for (unsigned i = 0; i < 4; i++) d[lane * 4 + i] = static_cast<Sum>(c[sums.index(lane, i)]);
    }
    Sum* out = device.upload(d);
    EQUAL(device.launch(device.function("matrices", kernel), {1}, {32}, Fragments{device.upload(wordsA), device.upload(wordsB), out}), 0);
    const auto seen = device.download(out, 32 * 4);
    for (unsigned lane = 0; lane < 32; lane++) {
        for (unsigned i = 0; i < 4; i++) {
            const unsigned at = sums.index(lane, i), row = at % 16, column = at / 16;
            int expected = c[at];
            for (unsigned k = 0; k < depth; k++) expected += a[row + 16 * k] * b[column + 8 * k];
            EQUAL(static_cast<int>(seen[lane * 4 + i]), expected);
        }
    }
}

CASE(halvesMultiplyLikePlainMatrices) {
    compareWithPlainProduct<float>("multiplyHalves", 16, halvesA, halvesB, 16, [](int value) { return unsigned{floatToHalf(static_cast<float>(value))}; });
}

CASE(bytesMultiplyLikePlainMatrices) {
    compareWithPlainProduct<int>("multiplyBytes", 32, bytesA, bytesB, 8, [](int value) { return static_cast<unsigned>(value) & 0xff; });
}

CASE(layoutsCoverTheirMatrices) {
    const auto covers = [](const Layout& layout, unsigned values) {
        std::vector<bool> seen(32 * values);
        for (unsigned lane = 0; lane < 32; lane++)
            for (unsigned value = 0; value < values; value++) seen.at(layout.index(lane, value)) = true;
        for (bool each : seen) CHECK(each);
    };
    covers(halvesA, 8);
    covers(halvesB, 4);
    covers(bytesA, 16);
    covers(bytesB, 8);
    covers(sums, 4);
}

CASE(byteProductsWrap) {
    Device device;
    int* out = device.upload(std::vector<int>(32 * 4, 2147483647));
    const std::vector<unsigned> a(32 * 4, 0x80808080u), b(32 * 2, 0x80808080u);
    EQUAL(device.launch(device.function("matrices", "multiplyBytes"), {1}, {32}, Fragments{device.upload(a), device.upload(b), out}), 0);
    for (int value : device.download(out, 32 * 4)) EQUAL(value, static_cast<int>(2147483647u + 32u * 128 * 128));
}

CASE(matrixProductsNeedTheWholeWarp) {
    Device device;
    device.fails(719, {"kernel multiplyPartly", "only the lanes 0xffffff7f"}, device.function("matrices", "multiplyPartly"), {1}, {32},
                 Fragments{device.upload(std::vector<unsigned>(128)), device.upload(std::vector<unsigned>(64)), device.allocate<float>(128)});
}

CASE(matrixProductsNeedSm80) {
    Device device{{"FACET_EMULATED_CAPABILITY", "7.5"}};
    device.fails(719, {"uses mmaF16", "from sm_80 on", "sm_75"}, device.function("matrices", "multiplyHalves"), {1}, {32},
                 Fragments{device.upload(std::vector<unsigned>(128)), device.upload(std::vector<unsigned>(64)), device.allocate<float>(128)});
}

/** By the definition of the format: sign, 5 bits of exponent, 10 of fraction. */
double halfByDefinition(unsigned half) {
    const int exponent = static_cast<int>(half >> 10 & 31);
    const double fraction = half & 1023;
    const double size = exponent == 31 ? (fraction != 0 ? std::nan("") : std::numeric_limits<double>::infinity())
                        : exponent == 0 ? std::ldexp(fraction, -24)
                                        : std::ldexp(1024 + fraction, exponent - 25);
    return half >> 15 ? -size : size;
}

CASE(everyHalfConverts) {
    for (unsigned half = 0; half < 65536; half++) {
        const double expected = halfByDefinition(half);
        const float value = halfToFloat(static_cast<unsigned short>(half));
        if (std::isnan(expected)) {
            CHECK(std::isnan(value));
            CHECK(std::isnan(halfByDefinition(floatToHalf(value))));
        } else {
            CHECK(value == static_cast<float>(expected));
            CHECK(std::signbit(value) == std::signbit(expected));
            EQUAL(floatToHalf(value), half);
        }
    }
}

CASE(floatsRoundToTheNearestEvenHalf) {
    // Between each pair of neighbours: below the middle, the middle, above it. 0x7bff's upper neighbour is infinity.
    for (unsigned low = 0; low < 0x7c00; low++) {
        const double lower = halfByDefinition(low), upper = low == 0x7bff ? 65536 : halfByDefinition(low + 1);
        const auto middle = static_cast<float>((lower + upper) / 2);
        CHECK(static_cast<double>(middle) == (lower + upper) / 2);
        EQUAL(floatToHalf(middle), low % 2 ? low + 1 : low);
        EQUAL(floatToHalf(std::nextafterf(middle, 0)), low);
        EQUAL(floatToHalf(std::nextafterf(middle, 1e9f)), low + 1);
        EQUAL(floatToHalf(-middle), (low % 2 ? low + 1 : low) | 0x8000);
    }
    EQUAL(floatToHalf(1e30f), 0x7c00);
    EQUAL(floatToHalf(-std::numeric_limits<float>::infinity()), 0xfc00);
    EQUAL(floatToHalf(1e-30f), 0);
    EQUAL(packHalf2(1.0f, -2.0f), 0xc0003c00);
    CHECK(bfloatToFloat(0x3f80) == 1 && bfloatToFloat(0xc040) == -3);
}

CASE(dotProductsOfBytes) {
    EQUAL(dp4a(0x01020304, 0x01010101, 5), 15);
    EQUAL(dp4a(static_cast<int>(0xff80ff80), static_cast<int>(0x7f80017f), 0), -127 + 128 * 128 - 1 - 128 * 127);
    EQUAL(dp4a(static_cast<int>(0x80808080), static_cast<int>(0x80808080), 2147483647), static_cast<int>(2147483647u + 65536u));
}

CASE(fmaRoundsOnce) {
    const float a = 1 + std::ldexp(1.0f, -12);
    CHECK(fma(a, a, -1 - std::ldexp(1.0f, -11)) == std::ldexp(1.0f, -24));
}

}  // namespace
