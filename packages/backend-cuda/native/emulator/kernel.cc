#include "kernel.h"

namespace emulator {

std::vector<Kernel>& kernels() {
    static std::vector<Kernel> all;
    return all;
}

std::string Kernel::module() const {
    std::string path = file;
    if (const auto slash = path.rfind('/'); slash != std::string::npos) path.erase(0, slash + 1);
    return path.substr(0, path.rfind('.'));
}

}  // namespace emulator
