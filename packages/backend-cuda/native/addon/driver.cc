#include "driver.h"
#ifdef _WIN32
#include <windows.h>
#else
#include <dlfcn.h>
#endif

#ifdef _WIN32
static void *openLibrary(const std::string &path, std::string &error) {
  void *library = LoadLibraryA(path.c_str());
  if (library == nullptr) error = "error " + std::to_string(GetLastError());
  return library;
}
static void *symbolOf(void *library, const char *name) { return reinterpret_cast<void *>(GetProcAddress(static_cast<HMODULE>(library), name)); }
#else
static void *openLibrary(const std::string &path, std::string &error) {
  void *library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) error = dlerror();
  return library;
}
static void *symbolOf(void *library, const char *name) { return dlsym(library, name); }
#endif

void Driver::check(CUresult result, const char *call) const {
  if (result == CUDA_SUCCESS) return;
  const char *name = nullptr;
  const char *text = nullptr;
  if (cuGetErrorName(result, &name) != CUDA_SUCCESS || name == nullptr) name = "an unknown error";
  if (cuGetErrorString(result, &text) != CUDA_SUCCESS || text == nullptr) text = "";
  const char *fault = facetEmulatedLastFault == nullptr ? nullptr : facetEmulatedLastFault();
  std::string message = std::string(call) + " failed with " + name + " (" + std::to_string(result) + ")";
  if (*text != '\0') message += std::string(": ") + text;
  if (fault != nullptr && *fault != '\0') message += std::string("; ") + fault;
  throw CudaError(result, name, call, message);
}

std::shared_ptr<Driver> Driver::open(const std::string &path, int leastVersion) {
  std::string error;
  void *library = openLibrary(path, error);
  if (library == nullptr) throw DriverMissing("library", error);
  auto driver = std::make_shared<Driver>();
  const auto find = [&](const char *name) {
    void *function = symbolOf(library, name);
    if (function == nullptr) throw DriverMissing("function", name, driver->version);
    return function;
  };
  // An old driver lacks functions; what to tell is its version.
  driver->cuDriverGetVersion = reinterpret_cast<decltype(driver->cuDriverGetVersion)>(find("cuDriverGetVersion"));
  driver->cuGetErrorName = reinterpret_cast<decltype(driver->cuGetErrorName)>(find("cuGetErrorName"));
  driver->cuGetErrorString = reinterpret_cast<decltype(driver->cuGetErrorString)>(find("cuGetErrorString"));
#define EMULATED_FUNCTION(name) driver->name = reinterpret_cast<decltype(driver->name)>(symbolOf(library, #name))
  EMULATED_FUNCTION(facetEmulatedLastFault);
  EMULATED_FUNCTION(facetEmulatedCounts);
  EMULATED_FUNCTION(facetEmulatedReset);
#undef EMULATED_FUNCTION
  CU(*driver, cuDriverGetVersion, &driver->version);
  if (driver->version < leastVersion) throw DriverMissing("version", path, driver->version);
#define CUDA_FUNCTION(name, ...) driver->name = reinterpret_cast<decltype(driver->name)>(find(#name));
  CUDA_FUNCTIONS(CUDA_FUNCTION)
#undef CUDA_FUNCTION
  CU(*driver, cuInit, 0);
  return driver;
}
