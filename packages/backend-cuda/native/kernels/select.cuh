// The best of many numbers: keys that sort like them, and a radix select over keys.
#pragma once
#include "reduce.cuh"

constexpr int SELECT_THREADS = 256;
constexpr int DIGITS = 256;

// Sorts as the value does. 0 is below all keys: for what does not count, as −∞ does not.
GPU_DEVICE unsigned keyOf(float value) {
  if (value == -INFINITE) return 0;
  const unsigned bits = static_cast<unsigned>(floatAsInt(value == 0.0f ? 0.0f : value));  // −0 is 0
  return bits >> 31 ? ~bits : bits | 0x80000000u;
}
GPU_DEVICE float valueOfKey(unsigned key) { return intAsFloat(static_cast<int>(key >> 31 ? key ^ 0x80000000u : ~key)); }

// What is taken of a list of keys: all above `least`, and of its equals the first `ties`.
struct Selection {
  unsigned least;
  int ties;
};

struct SelectShared {
  Shared<unsigned> histogram;  // [DIGITS]
  Shared<unsigned> digit;      // [2]: the digit that decides, and how many are still wanted of those that have it
  Shared<int> sums;            // [MAX_WARPS]
};

// Σ over the threads before this one.
GPU_DEVICE int sumBefore(int value, Shared<int> places) {
  const int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
  int through = value;
  for (int distance = 1; distance < WARP; distance *= 2) {
    const int other = __shfl_sync(ALL_LANES, through, most(lane - distance, 0));
    if (lane >= distance) through += other;
  }
  __syncthreads();
  if (lane == WARP - 1) places[warp] = through;
  __syncthreads();
  int before = through - value;
  for (int i = 0; i < warp; i++) before += places[i];
  return before;
}

// The `wanted` greatest of `count` keys that are not 0, digit by digit. All of SELECT_THREADS threads call it.
GPU_DEVICE Selection selectGreatest(Shared<unsigned> keys, int count, int wanted, const SelectShared& shared) {
  unsigned prefix = 0;
  for (int shift = 24; shift >= 0; shift -= 8) {
    __syncthreads();
    shared.histogram[threadIdx.x] = 0u;
    __syncthreads();
    for (int i = threadIdx.x; i < count; i += SELECT_THREADS) {
      const unsigned key = keys[i];
      if (key != 0 && (shift == 24 || key >> (shift + 8) == prefix)) atomicAdd(&shared.histogram[(key >> shift) & 255u], 1u);
    }
    __syncthreads();
    // Thread t looks at digit 255 − t: how many keys have a greater one, and how many have this one.
    const int digit = DIGITS - 1 - static_cast<int>(threadIdx.x), here = static_cast<int>(static_cast<unsigned>(shared.histogram[digit])), above = sumBefore(here, shared.sums);
    if (above < wanted && (above + here >= wanted || digit == 0)) {
      shared.digit[0] = static_cast<unsigned>(digit);
      shared.digit[1] = static_cast<unsigned>(wanted - above);
    }
    __syncthreads();
    prefix = prefix << 8 | shared.digit[0];
    wanted = static_cast<int>(static_cast<unsigned>(shared.digit[1]));
  }
  return {prefix, wanted};
}

// storeKey(store, place, i, key) for each key i of the selection: places 0, 1, … in the order of the list. @returns how many there are
template <typename Store>
// (An odd number of neighbours a thread: so threads begin in different banks.)
GPU_DEVICE int collect(Shared<unsigned> keys, int count, Selection selection, const SelectShared& shared, const Store& store) {
  const int perThread = ceilDiv(count, SELECT_THREADS) | 1, first = least(static_cast<int>(threadIdx.x) * perThread, count), end = least(first + perThread, count);
  int above = 0, equal = 0;
  for (int i = first; i < end; i++) {
    const unsigned key = keys[i];
    above += key > selection.least;
    equal += key != 0 && key == selection.least;
  }
  const int aboveBefore = sumBefore(above, shared.sums), equalBefore = sumBefore(equal, shared.sums);
  int place = aboveBefore + least(equalBefore, selection.ties), tie = equalBefore;
  for (int i = first; i < end; i++) {
    const unsigned key = keys[i];
    if (key == 0 || key < selection.least || (key == selection.least && tie++ >= selection.ties)) continue;
    storeKey(store, place++, i, key);
  }
  const int aboveAll = blockReduce<Sum>(above, shared.sums), equalAll = blockReduce<Sum>(equal, shared.sums);
  return aboveAll + least(equalAll, selection.ties);
}
