// gpu.cuh for the device: CUDA C++ as clang compiles it to PTX, without any of NVIDIA's headers or libraries.
// Names and semantics are CUDA's where CUDA has them. Instructions: PTX ISA 8.5, chapter 9.
#pragma once

#define __global__ __attribute__((global))
#define __device__ __attribute__((device))
#define __shared__ __attribute__((shared))
#include <__clang_cuda_builtin_vars.h>  // clang's own: threadIdx, blockIdx, blockDim, gridDim

#define GPU_DEVICE static inline __attribute__((device, always_inline))
// A kernel has one parameter, a struct by value that is called `args`.
#define GPU_KERNEL(name, Args) extern "C" __global__ void name(const Args args)
#define GPU_KERNEL_BOUNDS(name, Args, maxThreads) extern "C" __global__ void __attribute__((launch_bounds(maxThreads))) name(const Args args)
// So few registers that a multiprocessor has room for `blocks` blocks; or as many as are of use, where that is 1.
#define GPU_KERNEL_OCCUPANCY(name, Args, maxThreads, blocks) extern "C" __global__ void __attribute__((launch_bounds(maxThreads, blocks))) name(const Args args)

struct alignas(8) float2 { float x, y; };
struct alignas(16) float4 { float x, y, z, w; };
struct alignas(8) uint2 { unsigned x, y; };
struct alignas(16) uint4 { unsigned x, y, z, w; };
struct alignas(16) int4 { int x, y, z, w; };

// ---- Shared memory

template <typename T>
struct Shared {
  T* first;
  __device__ inline T& operator[](int index) const { return first[index]; }
  __device__ inline Shared at(int index) const { return {first + index}; }
};

#define GPU_SHARED(T, name, count)            \
  alignas(16) __shared__ T name##Words[count]; \
  const Shared<T> name = {name##Words}

template <typename Vec, typename T>
GPU_DEVICE Vec loadShared(Shared<T> from, int index) { return *reinterpret_cast<const Vec*>(from.first + index); }

template <typename T, typename Vec>
GPU_DEVICE void storeShared(Shared<T> to, int index, Vec value) { *reinterpret_cast<Vec*>(to.first + index) = value; }

// ---- Global memory

template <typename T>
struct ReadOnly;

#define GPU_READ_ONLY_VECTOR4(T, suffix, constraint)                                                                          \
  template <>                                                                                                                \
  struct ReadOnly<T> {                                                                                                       \
    static inline __device__ T load(const T* p) {                                                                            \
      T v;                                                                                                                   \
      asm("ld.global.cs.nc.v4." suffix " {%0, %1, %2, %3}, [%4];" : constraint(v.x), constraint(v.y), constraint(v.z), constraint(v.w) : "l"(p)); \
      return v;                                                                                                              \
    }                                                                                                                        \
  };
#define GPU_READ_ONLY_VECTOR2(T, suffix, constraint)                                                        \
  template <>                                                                                              \
  struct ReadOnly<T> {                                                                                     \
    static inline __device__ T load(const T* p) {                                                          \
      T v;                                                                                                 \
      asm("ld.global.cs.nc.v2." suffix " {%0, %1}, [%2];" : constraint(v.x), constraint(v.y) : "l"(p));    \
      return v;                                                                                            \
    }                                                                                                      \
  };
#define GPU_READ_ONLY_SCALAR(T, suffix, constraint)                                  \
  template <>                                                                       \
  struct ReadOnly<T> {                                                              \
    static inline __device__ T load(const T* p) {                                   \
      T v;                                                                          \
      asm("ld.global.cs.nc." suffix " %0, [%1];" : constraint(v) : "l"(p));         \
      return v;                                                                     \
    }                                                                               \
  };
GPU_READ_ONLY_VECTOR4(float4, "f32", "=f")
GPU_READ_ONLY_VECTOR4(uint4, "u32", "=r")
GPU_READ_ONLY_VECTOR4(int4, "s32", "=r")
GPU_READ_ONLY_VECTOR2(float2, "f32", "=f")
GPU_READ_ONLY_VECTOR2(uint2, "u32", "=r")
GPU_READ_ONLY_SCALAR(float, "f32", "=f")
GPU_READ_ONLY_SCALAR(int, "s32", "=r")
GPU_READ_ONLY_SCALAR(unsigned, "u32", "=r")
GPU_READ_ONLY_SCALAR(unsigned short, "u16", "=h")

// Memory that nobody writes while the kernel runs, read once: it leaves the caches first.
template <typename T>
GPU_DEVICE T loadGlobal(const T* from) { return ReadOnly<T>::load(from); }

template <typename T>
GPU_DEVICE void storeGlobal(T* to, T value) { *to = value; }

// ---- Threads together

GPU_DEVICE void __syncwarp() { __nvvm_bar_warp_sync(0xffffffffu); }
GPU_DEVICE int __shfl_xor_sync(unsigned mask, int value, int lane) { return __nvvm_shfl_sync_bfly_i32(mask, value, lane, 31); }
GPU_DEVICE float __shfl_xor_sync(unsigned mask, float value, int lane) { return __nvvm_shfl_sync_bfly_f32(mask, value, lane, 31); }
GPU_DEVICE unsigned __shfl_xor_sync(unsigned mask, unsigned value, int lane) { return static_cast<unsigned>(__shfl_xor_sync(mask, static_cast<int>(value), lane)); }
GPU_DEVICE int __shfl_down_sync(unsigned mask, int value, int delta) { return __nvvm_shfl_sync_down_i32(mask, value, delta, 31); }
GPU_DEVICE float __shfl_down_sync(unsigned mask, float value, int delta) { return __nvvm_shfl_sync_down_f32(mask, value, delta, 31); }
GPU_DEVICE unsigned __shfl_down_sync(unsigned mask, unsigned value, int delta) { return static_cast<unsigned>(__shfl_down_sync(mask, static_cast<int>(value), delta)); }
GPU_DEVICE int __shfl_sync(unsigned mask, int value, int lane) { return __nvvm_shfl_sync_idx_i32(mask, value, lane, 31); }
GPU_DEVICE float __shfl_sync(unsigned mask, float value, int lane) { return __nvvm_shfl_sync_idx_f32(mask, value, lane, 31); }
GPU_DEVICE unsigned __shfl_sync(unsigned mask, unsigned value, int lane) { return static_cast<unsigned>(__shfl_sync(mask, static_cast<int>(value), lane)); }
GPU_DEVICE unsigned __ballot_sync(unsigned mask, bool predicate) { return __nvvm_vote_ballot_sync(mask, predicate); }
GPU_DEVICE void __threadfence() { __nvvm_membar_gl(); }

GPU_DEVICE int atomicAdd(int* to, int value) { return __nvvm_atom_add_gen_i(to, value); }
GPU_DEVICE unsigned atomicAdd(unsigned* to, unsigned value) { return static_cast<unsigned>(__nvvm_atom_add_gen_i(reinterpret_cast<int*>(to), static_cast<int>(value))); }
GPU_DEVICE float atomicAdd(float* to, float value) { return __nvvm_atom_add_gen_f(to, value); }
GPU_DEVICE int atomicMax(int* to, int value) { return __nvvm_atom_max_gen_i(to, value); }
GPU_DEVICE unsigned atomicMax(unsigned* to, unsigned value) { return __nvvm_atom_max_gen_ui(to, value); }

// ---- Numbers

// c + Σ of the four products of signed bytes.
GPU_DEVICE int dp4a(int a, int b, int c) {
  int d;
  asm("dp4a.s32.s32 %0, %1, %2, %3;" : "=r"(d) : "r"(a), "r"(b), "r"(c));
  return d;
}
GPU_DEVICE float halfToFloat(unsigned short half) {
  float value;
  asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(half));
  return value;
}
GPU_DEVICE unsigned short floatToHalf(float value) {
  unsigned short half;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(half) : "f"(value));
  return half;
}
// `low` goes to the lower half of the word.
GPU_DEVICE unsigned packHalf2(float low, float high) {
  unsigned pair;
#if __CUDA_ARCH__ >= 800
  asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
#else
  asm("mov.b32 %0, {%1, %2};" : "=r"(pair) : "h"(floatToHalf(low)), "h"(floatToHalf(high)));
#endif
  return pair;
}
GPU_DEVICE int floatAsInt(float value) { return __builtin_bit_cast(int, value); }
GPU_DEVICE float intAsFloat(int bits) { return __builtin_bit_cast(float, bits); }
GPU_DEVICE float bfloatToFloat(unsigned short bits) { return intAsFloat(bits << 16); }
GPU_DEVICE float exp2Approx(float x) {
  float y;
  asm("ex2.approx.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
GPU_DEVICE float rsqrtApprox(float x) {
  float y;
  asm("rsqrt.approx.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
GPU_DEVICE float sqrtExact(float x) {
  float y;
  asm("sqrt.rn.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
GPU_DEVICE float fma(float a, float b, float c) { return __builtin_fmaf(a, b, c); }

// ---- Tensor cores and asynchronous copies: sm_80 and later

#if __CUDA_ARCH__ >= 800
// d += a · b, m16n8k16: a f16 [16, 16], b f16 [16, 8], d f32 [16, 8], in PTX's fragments.
GPU_DEVICE void mmaF16(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
// d += a · b, m16n8k32: a i8 [16, 32], b i8 [32, 8], d i32 [16, 8].
GPU_DEVICE void mmaS8(int (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
  asm("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
#endif

// 16 bytes to element `index` of `to`, or zeros where `from` is not valid. They are there after copyAsyncWait and a barrier.
template <typename T>
GPU_DEVICE void copyAsync16(Shared<T> to, int index, const T* from, bool valid) {
#if __CUDA_ARCH__ >= 800
  const unsigned place = static_cast<unsigned>(reinterpret_cast<unsigned long long>((__attribute__((address_space(3))) T*)(to.first + index)));
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(place), "l"(from), "r"(valid ? 16 : 0) : "memory");
#else
  storeShared(to, index, valid ? *reinterpret_cast<const uint4*>(from) : uint4{0, 0, 0, 0});
#endif
}
GPU_DEVICE void copyAsyncCommit() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}
// Until at most N groups of copies are under way.
template <int N>
GPU_DEVICE void copyAsyncWait() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory");
#endif
}
