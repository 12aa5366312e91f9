// The NVIDIA driver, opened at run time: the functions that we use of it, declared by ourselves.
#pragma once
#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>

typedef int CUresult;
typedef int CUdevice;
typedef unsigned long long CUdeviceptr;
typedef struct CUctx_st *CUcontext;
typedef struct CUmod_st *CUmodule;
typedef struct CUfunc_st *CUfunction;
typedef struct CUstream_st *CUstream;
typedef struct CUevent_st *CUevent;
typedef struct CUgraph_st *CUgraph;
typedef struct CUgraphExec_st *CUgraphExec;
struct CUuuid {
  unsigned char bytes[16];
};

// Source of names, numbers and parameters: the CUDA Driver API reference.
enum : CUresult { CUDA_SUCCESS = 0, CUDA_ERROR_NOT_READY = 600 };
enum { CU_STREAM_NON_BLOCKING = 1 };
enum { CU_STREAM_CAPTURE_MODE_THREAD_LOCAL = 1 };
enum { CU_EVENT_BLOCKING_SYNC = 1, CU_EVENT_DISABLE_TIMING = 2 };
enum { CU_JIT_ERROR_LOG_BUFFER = 5, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES = 6 };
enum {
  CU_DEVICE_ATTRIBUTE_CLOCK_RATE = 13,
  CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT = 16,
  CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE = 36,
  CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH = 37,
  CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR = 75,
  CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR = 76,
};

#define CUDA_FUNCTIONS(X)                                                                                                                                        \
  X(cuInit, unsigned)                                                                                                                                            \
  X(cuDriverGetVersion, int *)                                                                                                                                   \
  X(cuGetErrorName, CUresult, const char **)                                                                                                                     \
  X(cuGetErrorString, CUresult, const char **)                                                                                                                   \
  X(cuDeviceGetCount, int *)                                                                                                                                     \
  X(cuDeviceGet, CUdevice *, int)                                                                                                                                \
  X(cuDeviceGetName, char *, int, CUdevice)                                                                                                                      \
  X(cuDeviceGetAttribute, int *, int, CUdevice)                                                                                                                  \
  X(cuDeviceTotalMem_v2, size_t *, CUdevice)                                                                                                                     \
  X(cuDeviceGetUuid, CUuuid *, CUdevice)                                                                                                                         \
  X(cuDevicePrimaryCtxRetain, CUcontext *, CUdevice)                                                                                                             \
  X(cuDevicePrimaryCtxRelease_v2, CUdevice)                                                                                                                      \
  X(cuCtxSetCurrent, CUcontext)                                                                                                                                  \
  X(cuMemGetInfo_v2, size_t *, size_t *)                                                                                                                         \
  X(cuMemAlloc_v2, CUdeviceptr *, size_t)                                                                                                                        \
  X(cuMemFree_v2, CUdeviceptr)                                                                                                                                   \
  X(cuMemHostAlloc, void **, size_t, unsigned)                                                                                                                   \
  X(cuMemFreeHost, void *)                                                                                                                                       \
  X(cuMemcpyHtoDAsync_v2, CUdeviceptr, const void *, size_t, CUstream)                                                                                           \
  X(cuMemcpyDtoHAsync_v2, void *, CUdeviceptr, size_t, CUstream)                                                                                                 \
  X(cuStreamCreate, CUstream *, unsigned)                                                                                                                        \
  X(cuStreamDestroy_v2, CUstream)                                                                                                                                \
  X(cuStreamSynchronize, CUstream)                                                                                                                               \
  X(cuStreamBeginCapture_v2, CUstream, int)                                                                                                                      \
  X(cuStreamEndCapture, CUstream, CUgraph *)                                                                                                                     \
  X(cuGraphInstantiateWithFlags, CUgraphExec *, CUgraph, unsigned long long)                                                                                     \
  X(cuGraphLaunch, CUgraphExec, CUstream)                                                                                                                        \
  X(cuGraphExecDestroy, CUgraphExec)                                                                                                                             \
  X(cuGraphDestroy, CUgraph)                                                                                                                                     \
  X(cuEventCreate, CUevent *, unsigned)                                                                                                                          \
  X(cuEventRecord, CUevent, CUstream)                                                                                                                            \
  X(cuEventSynchronize, CUevent)                                                                                                                                 \
  X(cuEventQuery, CUevent)                                                                                                                                       \
  X(cuEventElapsedTime, float *, CUevent, CUevent)                                                                                                               \
  X(cuEventDestroy_v2, CUevent)                                                                                                                                  \
  X(cuModuleLoadDataEx, CUmodule *, const void *, unsigned, int *, void **)                                                                                      \
  X(cuModuleUnload, CUmodule)                                                                                                                                    \
  X(cuModuleGetFunction, CUfunction *, CUmodule, const char *)                                                                                                   \
  X(cuLaunchKernel, CUfunction, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, CUstream, void **, void **)

/** A driver call that failed. */
struct CudaError : std::runtime_error {
  CudaError(CUresult code, std::string name, const char *call, const std::string &message) : std::runtime_error(message), code(code), name(std::move(name)), call(call) {}
  CUresult code;
  std::string name;
  std::string call;
  /** Of the launch list, where a launch failed. */
  int launch = -1;
};

/** The library, or a function of it, is not there; or it is too old. */
struct DriverMissing : std::runtime_error {
  DriverMissing(const char *reason, const std::string &message, int version = 0) : std::runtime_error(message), reason(reason), version(version) {}
  /** library, function, version */
  const char *reason;
  int version;
};

struct Driver {
#define CUDA_FUNCTION(name, ...) CUresult (*name)(__VA_ARGS__);
  CUDA_FUNCTIONS(CUDA_FUNCTION)
#undef CUDA_FUNCTION
  /** Of the emulated driver only: what a fault was, what is alive as JSON, and a fresh start that reads the environment anew. */
  const char *(*facetEmulatedLastFault)();
  const char *(*facetEmulatedCounts)();
  void (*facetEmulatedReset)();
  int version;

  /** Throws CudaError unless the call succeeded. */
  void check(CUresult result, const char *call) const;

  /**
   * Opens the library and initialises the driver. The library stays open as long as the process.
   * @throws DriverMissing, CudaError
   */
  static std::shared_ptr<Driver> open(const std::string &path, int leastVersion);
};

#define CU(driver, function, ...) (driver).check((driver).function(__VA_ARGS__), #function)
