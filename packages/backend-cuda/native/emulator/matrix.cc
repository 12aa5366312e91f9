#include "matrix.h"

#include <cstdint>

#include "numbers.h"

// Source: PTX ISA, "Matrix Fragments for mma.m16n8k16 with floating point type" and "… for mma.m16n8k32". With group = lane / 4 and
// member = lane % 4, and a register's elements counted from its lowest bits on:
//
//   m16n8k16, f16 (two elements a register):
//     a[i], i = 0…7: row group for i in {0, 1, 4, 5}, else group + 8; column member · 2 + (i & 1), + 8 for i ≥ 4
//     b[i], i = 0…3: row member · 2 + (i & 1), + 8 for i ≥ 2; column group
//   m16n8k32, s8 (four elements a register):
//     a[i], i = 0…15: row group for i in {0…3, 8…11}, else group + 8; column member · 4 + (i & 3), + 16 for i ≥ 8
//     b[i], i = 0…7: row member · 4 + (i & 3), + 16 for i ≥ 4; column group
//   both: d[i], i = 0…3: row group for i < 2, else group + 8; column member · 2 + (i & 1)
//
// So register r of a holds row group + 8 · (r & 1), and its elements begin at column elements · member, half of the columns further for r ≥ 2;
// likewise register r of b for rows. elements is 2 or 4.
//
// The sum of a real tensor core differs: products are exact, but they are added several at a time, aligned to the greatest and cut off, in an
// order that is not documented ("at least single precision"). Here they are added one by one, each sum rounded to f32. Integers are the same.

namespace emulator {

namespace {

template <typename Sum>
struct Fragments {
    Sum (*d)[4];
    const unsigned (*a)[4];
    const unsigned (*b)[2];
};

struct Halves {
    using Sum = float;
    using Element = float;
    static constexpr unsigned elements = 2;
    static float element(unsigned word, unsigned i) { return halfToFloat(static_cast<unsigned short>(word >> 16 * i)); }
    static float add(float sum, float a, float b) { return sum + a * b; }
};

struct Bytes {
    using Sum = int;
    using Element = int;
    static constexpr unsigned elements = 4;
    static int element(unsigned word, unsigned i) { return static_cast<std::int8_t>(word >> 8 * i); }
    static int add(int sum, int a, int b) { return static_cast<int>(static_cast<unsigned>(sum) + static_cast<unsigned>(a * b)); }
};

template <typename Kind>
void multiply(void* const (&payloads)[warpLanes], unsigned arrived) {
    using Sum = typename Kind::Sum;
    constexpr unsigned elements = Kind::elements, depth = 8 * elements;
    if (arrived != ~0u) multiprocessor.fail(launchFailed, "ends a matrix product in which only the lanes 0x%08x of its warp take part", arrived);
    typename Kind::Element a[16][depth], b[depth][8];
    for (unsigned lane = 0; lane < warpLanes; lane++) {
        const auto& own = *static_cast<const Fragments<Sum>*>(payloads[lane]);
        const unsigned group = lane / 4, member = lane % 4;
        for (unsigned r = 0; r < 4; r++)
            for (unsigned i = 0; i < elements; i++) a[group + 8 * (r & 1)][r / 2 * depth / 2 + member * elements + i] = Kind::element((*own.a)[r], i);
        for (unsigned r = 0; r < 2; r++)
            for (unsigned i = 0; i < elements; i++) b[r * depth / 2 + member * elements + i][group] = Kind::element((*own.b)[r], i);
    }
    for (unsigned row = 0; row < 16; row++) {
        const auto result = [&](unsigned column) -> Sum& {
            return (*static_cast<const Fragments<Sum>*>(payloads[row % 8 * 4 + column / 2])->d)[row / 8 * 2 + column % 2];
        };
        Sum sums[8];
        for (unsigned column = 0; column < 8; column++) sums[column] = result(column);
        for (unsigned k = 0; k < depth; k++)
            for (unsigned column = 0; column < 8; column++) sums[column] = Kind::add(sums[column], a[row][k], b[k][column]);
        for (unsigned column = 0; column < 8; column++) result(column) = sums[column];
    }
}

template <typename Kind>
void product(const char* operation, typename Kind::Sum (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2], Place place) {
    if (multiprocessor.capability < 80)
        multiprocessor.fail(launchFailed, "uses %s (%s:%d), which there is from sm_80 on; this device is sm_%d", operation, place.file, place.line,
                            multiprocessor.capability);
    Fragments<typename Kind::Sum> own{&d, &a, &b};
    multiprocessor.exchange(operation, &own, &multiply<Kind>, place);
}

}  // namespace

}  // namespace emulator

void mmaF16(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2], emulator::Place place) {
    emulator::product<emulator::Halves>("mmaF16", d, a, b, place);
}

void mmaS8(int (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2], emulator::Place place) {
    emulator::product<emulator::Bytes>("mmaS8", d, a, b, place);
}
