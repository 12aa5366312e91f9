#include "context.h"

#include <algorithm>
#include <utility>

Resource::Resource(std::shared_ptr<Context> context) : context(std::move(context)) { this->context->resources.insert(this); }

// A derived class releases in its own destructor, while its `free` is still there.
Resource::~Resource() { context->resources.erase(this); }

void Resource::release() {
  if (released) return;
  released = true;
  context->resources.erase(this);
  const Driver &driver = *context->driver;
  if (context->isClosed || driver.cuCtxSetCurrent(context->context) != CUDA_SUCCESS) return;
  free(driver);
}

Context &Resource::use() const {
  if (released) throw std::invalid_argument("it was released");
  context->use();
  return *context;
}

Context::Context(std::shared_ptr<Driver> driver, int index)
    : driver(std::move(driver)), device([&] {
        CUdevice device;
        CU(*this->driver, cuDeviceGet, &device, index);
        return device;
      }()) {
  CU(*this->driver, cuDevicePrimaryCtxRetain, &context, device);
  try {
    use();
    CU(*this->driver, cuStreamCreate, &stream, CU_STREAM_NON_BLOCKING);
  } catch (...) {
    this->driver->cuDevicePrimaryCtxRelease_v2(device);
    isClosed = true;
    throw;
  }
}

Context::~Context() { closeNow(); }

void Context::use() const {
  if (isClosed) throw std::invalid_argument("the context was closed");
  CU(*driver, cuCtxSetCurrent, context);
}

void Context::close(std::function<void()> closed) {
  closing.push_back(std::move(closed));
  if (busy == 0) closeNow();
}

void Context::closeNow() {
  if (!isClosed && driver->cuCtxSetCurrent(context) == CUDA_SUCCESS) {
    driver->cuStreamSynchronize(stream);
    while (!resources.empty()) (*resources.begin())->release();
    for (const Segment &segment : std::exchange(ring, {})) driver->cuMemFreeHost(segment.block.data);
    for (const PinnedBlock &block : std::exchange(pinned, {})) driver->cuMemFreeHost(block.data);
    driver->cuStreamDestroy_v2(stream);
  }
  if (!isClosed) {
    isClosed = true;
    driver->cuDevicePrimaryCtxRelease_v2(device);
  }
  for (const auto &closed : std::exchange(closing, {})) closed();
}

void Context::runOffThread(napi_env env, std::function<void(Context &)> work, Done done) {
  auto self = shared_from_this();
  ::runOffThread(
      env,
      [self, work = std::move(work)] {
        self->use();
        work(*self);
      },
      [self, done = std::move(done)](std::exception_ptr failure) {
        self->busy--;
        done(failure);
        if (self->busy == 0 && !self->closing.empty()) self->closeNow();
      });
  busy++;
}

SharedEvent Context::mark(bool isTimed) const {
  CUevent event;
  CU(*driver, cuEventCreate, &event, CU_EVENT_BLOCKING_SYNC | (isTimed ? 0 : CU_EVENT_DISABLE_TIMING));
  SharedEvent shared(event, [driver = driver](CUevent each) { driver->cuEventDestroy_v2(each); });
  CU(*driver, cuEventRecord, event, stream);
  return shared;
}

bool Context::isReached(const SharedEvent &event) const {
  const CUresult result = driver->cuEventQuery(event.get());
  if (result == CUDA_ERROR_NOT_READY) return false;
  driver->check(result, "cuEventQuery");
  return true;
}

void Context::whenReached(napi_env env, SharedEvent event, Done done) {
  waiting.push_back({std::move(event), std::move(done)});
  if (waiting.size() > 1) return; // the one before it goes on
  try {
    waitForNext(env);
  } catch (...) {
    waiting.pop_back();
    throw;
  }
}

/** One thread at most waits for a stream: places in it are reached in order. */
void Context::waitForNext(napi_env env) {
  runOffThread(
      env, [event = waiting.front().event.get()](Context &self) { CU(*self.driver, cuEventSynchronize, event); },
      [this, env](std::exception_ptr failure) { // runOffThread keeps `this`
        driver->cuCtxSetCurrent(context);
        while (true) {
          const Waiting reached = std::move(waiting.front());
          waiting.pop_front();
          reached.done(failure);
          if (waiting.empty()) return;
          try {
            if (!isReached(waiting.front().event)) return waitForNext(env);
            failure = nullptr;
          } catch (...) {
            failure = std::current_exception();
          }
        }
      });
}

PinnedBlock Context::takePinned(size_t bytes) {
  const auto found = std::find_if(pinned.begin(), pinned.end(), [&](const PinnedBlock &block) { return block.bytes >= bytes; });
  if (found != pinned.end()) {
    const PinnedBlock block = *found;
    pinned.erase(found);
    return block;
  }
  constexpr size_t PAGE = 4096;
  const size_t whole = (bytes + PAGE - 1) / PAGE * PAGE;
  void *data;
  CU(*driver, cuMemHostAlloc, &data, whole, 0);
  return {static_cast<uint8_t *>(data), whole};
}

void Context::givePinned(PinnedBlock block) {
  // What a token reads is small and read over and over; larger ones are rare.
  constexpr size_t MOST_BLOCKS = 8;
  constexpr size_t LARGEST_BLOCK = 2 << 20;
  if (block.bytes <= LARGEST_BLOCK && pinned.size() < MOST_BLOCKS && !isClosed) pinned.push_back(block);
  else driver->cuMemFreeHost(block.data);
}
