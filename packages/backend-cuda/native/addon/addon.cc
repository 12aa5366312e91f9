// What TypeScript sees: src/driver/addon.ts has the types.
#include <cstring>
#include <type_traits>

#include "launch-list.h"

template <>
const napi_type_tag HandleTag<Driver>::value = {0x6661636574000001, 1};
template <>
const napi_type_tag HandleTag<Context>::value = {0x6661636574000001, 2};
template <>
const napi_type_tag HandleTag<Allocation>::value = {0x6661636574000001, 3};
template <>
const napi_type_tag HandleTag<Module>::value = {0x6661636574000001, 4};
template <>
const napi_type_tag HandleTag<Function>::value = {0x6661636574000001, 5};
template <>
const napi_type_tag HandleTag<LaunchList>::value = {0x6661636574000001, 6};
template <>
const napi_type_tag HandleTag<Graph>::value = {0x6661636574000001, 7};
template <>
const napi_type_tag HandleTag<Event>::value = {0x6661636574000001, 8};

namespace {

Done settle(std::shared_ptr<Deferred> deferred) {
  return [deferred](std::exception_ptr failure) {
    try {
      if (failure) std::rethrow_exception(failure);
      deferred->resolve();
    } catch (const std::exception &error) {
      deferred->reject(error);
    }
  };
}

/** openDriver(path, leastVersion): Driver */
napi_value openDriver(Call &call) { return call.ofHandle(Driver::open(call.text(0), static_cast<int>(call.number(1)))); }

/** driverVersion(driver): number */
napi_value driverVersion(Call &call) { return call.of(static_cast<double>(call.handle<Driver>(0)->version)); }

/** deviceCount(driver): number */
napi_value deviceCount(Call &call) {
  int count = 0;
  CU(*call.handle<Driver>(0), cuDeviceGetCount, &count);
  return call.of(static_cast<double>(count));
}

/** deviceInfo(driver, index): DeviceInfo */
napi_value deviceInfo(Call &call) {
  const auto driver = call.handle<Driver>(0);
  CUdevice device;
  CU(*driver, cuDeviceGet, &device, static_cast<int>(call.number(1)));
  char name[256] = {};
  CU(*driver, cuDeviceGetName, name, sizeof name - 1, device);
  size_t bytes = 0;
  CU(*driver, cuDeviceTotalMem_v2, &bytes, device);
  CUuuid uuid = {};
  CU(*driver, cuDeviceGetUuid, &uuid, device);
  static const char digits[] = "0123456789abcdef";
  std::string text = "GPU-";
  for (int i = 0; i < 16; i++) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += digits[uuid.bytes[i] >> 4];
    text += digits[uuid.bytes[i] & 15];
  }
  const napi_value info = call.object();
  call.set(info, "name", call.of(std::string(name)));
  call.set(info, "uuid", call.of(text));
  call.set(info, "totalBytes", call.of(static_cast<double>(bytes)));
  const struct {
    const char *name;
    int attribute;
  } attributes[] = {
      {"computeCapabilityMajor", CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR},
      {"computeCapabilityMinor", CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR},
      {"multiprocessors", CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT},
      {"clockKhz", CU_DEVICE_ATTRIBUTE_CLOCK_RATE},
      {"memoryClockKhz", CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE},
      {"memoryBusBits", CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH},
  };
  for (const auto &[property, attribute] : attributes) {
    int value = 0;
    CU(*driver, cuDeviceGetAttribute, &value, attribute, device);
    call.set(info, property, call.of(static_cast<double>(value)));
  }
  return info;
}

/** openContext(driver, index): Context */
napi_value openContext(Call &call) { return call.ofHandle(std::make_shared<Context>(call.handle<Driver>(0), static_cast<int>(call.number(1)))); }

/** closeContext(context): Promise<void> */
napi_value closeContext(Call &call) {
  auto deferred = std::make_shared<Deferred>(call.env);
  call.handle<Context>(0)->close([deferred] { deferred->resolve(); });
  return deferred->promise;
}

/** memoryInfo(context): { freeBytes, totalBytes } */
napi_value memoryInfo(Call &call) {
  const auto context = call.handle<Context>(0);
  context->use();
  size_t free = 0;
  size_t total = 0;
  CU(*context->driver, cuMemGetInfo_v2, &free, &total);
  const napi_value info = call.object();
  call.set(info, "freeBytes", call.of(static_cast<double>(free)));
  call.set(info, "totalBytes", call.of(static_cast<double>(total)));
  return info;
}

/** allocate(context, bytes): Allocation */
napi_value allocate(Call &call) { return call.ofHandle(std::make_shared<Allocation>(call.handle<Context>(0), static_cast<size_t>(call.number(1)))); }

/** addressOf(allocation): bigint */
napi_value addressOf(Call &call) { return call.ofAddress(call.handle<Allocation>(0)->address); }

/** upload(allocation, byteOffset, data): number of bytes taken */
napi_value upload(Call &call) {
  const auto allocation = call.handle<Allocation>(0);
  const auto bytes = call.bytes(2);
  allocation->checkSpan(call.number(1), bytes.size());
  return call.of(static_cast<double>(allocation->use().upload(allocation->address + static_cast<CUdeviceptr>(call.number(1)), bytes)));
}

/** whenUploaded(context): Promise<void> */
napi_value whenUploaded(Call &call) {
  const auto context = call.handle<Context>(0);
  context->use();
  auto deferred = std::make_shared<Deferred>(call.env);
  context->whenUploaded(call.env, settle(deferred));
  return deferred->promise;
}

/** download(allocation, byteOffset, into): Promise<void> */
napi_value download(Call &call) {
  const auto allocation = call.handle<Allocation>(0);
  const size_t length = call.bytes(2).size();
  allocation->checkSpan(call.number(1), length);
  Context &context = allocation->use();
  auto deferred = std::make_shared<Deferred>(call.env);
  const PinnedBlock block = context.takePinned(length);
  napi_ref into = nullptr;
  try {
    CU(*context.driver, cuMemcpyDtoHAsync_v2, block.data, allocation->address + static_cast<CUdeviceptr>(call.number(1)), length, context.stream);
    checkNapi(call.env, napi_create_reference(call.env, call.value(2), 1, &into));
    context.whenReached(call.env, context.mark(), [env = call.env, into, block, length, deferred, self = context.shared_from_this()](std::exception_ptr failure) {
      napi_value array = nullptr;
      size_t found = 0;
      void *data = nullptr;
      napi_get_reference_value(env, into, &array);
      // A buffer that was handed on meanwhile has no bytes left, and nobody reads it.
      if (array != nullptr && napi_get_typedarray_info(env, array, nullptr, &found, &data, nullptr, nullptr) == napi_ok && found > 0 && !failure) std::memcpy(data, block.data, length);
      napi_delete_reference(env, into);
      self->givePinned(block);
      settle(deferred)(failure);
    });
  } catch (...) {
    if (into != nullptr) napi_delete_reference(call.env, into);
    context.driver->cuMemFreeHost(block.data);
    throw;
  }
  return deferred->promise;
}

/** recordEvent(context, isTimed): Event */
napi_value recordEvent(Call &call) {
  const auto context = call.handle<Context>(0);
  context->use();
  return call.ofHandle(std::make_shared<Event>(context, context->mark(call.boolean(1))));
}

/** isReached(event): boolean */
napi_value isReached(Call &call) {
  const auto event = call.handle<Event>(0);
  return call.of(event->use().isReached(event->event));
}

/** whenReached(event): Promise<void> */
napi_value whenReached(Call &call) {
  const auto event = call.handle<Event>(0);
  Context &context = event->use();
  auto deferred = std::make_shared<Deferred>(call.env);
  context.whenReached(call.env, event->event, settle(deferred));
  return deferred->promise;
}

/** elapsedMs(begin, end): number */
napi_value elapsedMs(Call &call) {
  const auto begin = call.handle<Event>(0);
  const auto end = call.handle<Event>(1);
  float ms = 0;
  CU(*begin->use().driver, cuEventElapsedTime, &ms, begin->event.get(), end->event.get());
  return call.of(static_cast<double>(ms));
}

/** loadModule(context, text): Promise<Module> */
napi_value loadModule(Call &call) {
  const auto context = call.handle<Context>(0);
  context->use();
  const auto deferred = std::make_shared<Deferred>(call.env);
  const auto module = std::make_shared<Module>(context);
  context->runOffThread(
      call.env,
      [module, text = call.text(1)](Context &self) {
        char log[4096] = {};
        int options[] = {CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES};
        void *values[] = {log, reinterpret_cast<void *>(sizeof log - 1)};
        try {
          CU(*self.driver, cuModuleLoadDataEx, &module->module, text.c_str(), 2, options, values);
        } catch (const CudaError &error) {
          throw CudaError(error.code, error.name, "cuModuleLoadDataEx", error.what() + (*log == '\0' ? std::string() : std::string("; ") + log));
        }
      },
      [deferred, module, env = call.env](std::exception_ptr failure) {
        if (failure) return settle(deferred)(failure);
        deferred->resolve(externalOf(env, module));
      });
  return deferred->promise;
}

/** functionOf(module, name): Function */
napi_value functionOf(Call &call) {
  const auto module = call.handle<Module>(0);
  auto function = std::make_shared<Function>();
  CU(*module->use().driver, cuModuleGetFunction, &function->function, module->module, call.text(1).c_str());
  function->module = module;
  return call.ofHandle(function);
}

/** createLaunchList(context, [{ function, threads, arguments }]): LaunchList */
napi_value createLaunchList(Call &call) {
  auto list = std::make_shared<LaunchList>();
  list->context = call.handle<Context>(0);
  uint32_t length = 0;
  checkNapi(call.env, napi_get_array_length(call.env, call.value(1), &length));
  for (uint32_t i = 0; i < length; i++) {
    napi_value each;
    checkNapi(call.env, napi_get_element(call.env, call.value(1), i, &each));
    double threads;
    checkNapi(call.env, napi_get_value_double(call.env, call.get(each, "threads"), &threads));
    const auto bytes = call.bytesOf(call.get(each, "arguments"));
    list->launches.push_back({call.handleOf<Function>(call.get(each, "function")), static_cast<unsigned>(threads), {bytes.begin(), bytes.end()}});
  }
  return call.ofHandle(list);
}

/** launch(list, begin, end, grids, waitsForEach): void */
napi_value launch(Call &call) {
  call.handle<LaunchList>(0)->launch(static_cast<size_t>(call.number(1)), static_cast<size_t>(call.number(2)), call.bytes(3), call.boolean(4));
  return call.undefined();
}

/** captureGraph(list, begin, end, grids): Graph */
napi_value captureGraph(Call &call) { return call.ofHandle(captureGraph(*call.handle<LaunchList>(0), static_cast<size_t>(call.number(1)), static_cast<size_t>(call.number(2)), call.bytes(3))); }

/** launchGraph(graph): void */
napi_value launchGraph(Call &call) {
  const auto graph = call.handle<Graph>(0);
  Context &context = graph->use();
  CU(*context.driver, cuGraphLaunch, graph->executable, context.stream);
  return call.undefined();
}

/** release(allocation | graph | event): void. Before the garbage collector does. */
napi_value release(Call &call) {
  const auto releaseIf = [&]<class T>(std::type_identity<T>) {
    bool isOne = false;
    checkNapi(call.env, napi_check_object_type_tag(call.env, call.value(0), &HandleTag<T>::value, &isOne));
    if (isOne) call.handle<T>(0)->release();
    return isOne;
  };
  if (!releaseIf(std::type_identity<Allocation>()) && !releaseIf(std::type_identity<Graph>()) && !releaseIf(std::type_identity<Event>())) throw std::invalid_argument("nothing that can be released");
  return call.undefined();
}

/** emulatedCounts(driver): string, JSON; '' where the driver is not the emulated one */
napi_value emulatedCounts(Call &call) {
  const auto driver = call.handle<Driver>(0);
  return call.of(std::string(driver->facetEmulatedCounts == nullptr ? "" : driver->facetEmulatedCounts()));
}

/** emulatedReset(driver): void */
napi_value emulatedReset(Call &call) {
  const auto driver = call.handle<Driver>(0);
  if (driver->facetEmulatedReset != nullptr) driver->facetEmulatedReset();
  return call.undefined();
}

} // namespace

NAPI_MODULE_INIT() {
#define FUNCTION(name) {#name, nullptr, entry<name>, nullptr, nullptr, nullptr, napi_default_jsproperty, nullptr}
  const napi_property_descriptor functions[] = {
      FUNCTION(openDriver),   FUNCTION(driverVersion), FUNCTION(deviceCount), FUNCTION(deviceInfo),  FUNCTION(openContext),      FUNCTION(closeContext), FUNCTION(memoryInfo),
      FUNCTION(allocate),     FUNCTION(addressOf),     FUNCTION(upload),      FUNCTION(whenUploaded), FUNCTION(download),         FUNCTION(recordEvent),  FUNCTION(isReached),
      FUNCTION(whenReached),  FUNCTION(elapsedMs),     FUNCTION(loadModule),  FUNCTION(functionOf),  FUNCTION(createLaunchList), FUNCTION(launch),       FUNCTION(captureGraph),
      FUNCTION(launchGraph),  FUNCTION(release),       FUNCTION(emulatedCounts), FUNCTION(emulatedReset),
  };
  napi_define_properties(env, exports, sizeof functions / sizeof *functions, functions);
  return exports;
}
