// The kernels that were compiled for the host, and how a .cu file names them.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace emulator {

struct Kernel {
    const char* file;
    const char* name;
    std::size_t argumentBytes;
    unsigned maxThreads;
    void (*call)(const void* arguments);

    /** The .cu file's name without folder and ending. */
    std::string module() const;
};

/** All kernels of this library; filled before main by `KernelRegistration`. */
std::vector<Kernel>& kernels();

struct KernelRegistration {
    explicit KernelRegistration(const Kernel& kernel) { kernels().push_back(kernel); }
};

}  // namespace emulator

#define GPU_DEVICE inline
#define GPU_KERNEL(name, Args) GPU_KERNEL_BOUNDS(name, Args, 1024)
#define GPU_KERNEL_BOUNDS(name, Args, maxThreads)                                                              \
    static void name(const Args args);                                                                         \
    static const ::emulator::KernelRegistration name##Registration({                                           \
        __FILE__, #name, sizeof(Args), maxThreads, [](const void* args) { name(*static_cast<const Args*>(args)); }}); \
    static void name([[maybe_unused]] const Args args)
