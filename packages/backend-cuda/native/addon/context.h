// A device in use: its primary context, one stream on which everything happens in order, and what was made on it.
#pragma once
#include <deque>
#include <unordered_set>
#include <vector>

#include "js.h"

class Context;

/** Something on the device. It goes when JavaScript lets go of it, when it is released, or with its context. */
class Resource {
public:
  explicit Resource(std::shared_ptr<Context> context);
  virtual ~Resource();
  Resource(const Resource &) = delete;

  /** Frees it, once. */
  void release();
  /** Throws where it is gone; makes its context the thread's. */
  Context &use() const;

protected:
  /** With the context current. What fails here fails silently: there is nobody to tell. */
  virtual void free(const Driver &driver) = 0;

private:
  friend class Context;
  std::shared_ptr<Context> context;
  bool released = false;
};

/** A place in the stream. */
using SharedEvent = std::shared_ptr<CUevent_st>;

/** Called on the JavaScript thread, with what went wrong or null. It throws nothing. */
using Done = std::function<void(std::exception_ptr)>;

/** Pinned host memory. */
struct PinnedBlock {
  uint8_t *data;
  size_t bytes;
};

class Context : public std::enable_shared_from_this<Context> {
public:
  Context(std::shared_ptr<Driver> driver, int device);
  ~Context();
  Context(const Context &) = delete;

  const std::shared_ptr<Driver> driver;
  const CUdevice device;
  CUstream stream = nullptr;

  /** Makes it this thread's. Throws where it is closed. */
  void use() const;
  /** Frees all resources and the context, as soon as nothing waits any more; then calls `closed`. */
  void close(std::function<void()> closed);

  /** Runs `work` off the JavaScript thread with this context current. */
  void runOffThread(napi_env env, std::function<void(Context &)> work, Done done);

  /** The end of what is queued now. */
  SharedEvent mark(bool isTimed = false) const;
  bool isReached(const SharedEvent &event) const;
  void whenReached(napi_env env, SharedEvent event, Done done);

  PinnedBlock takePinned(size_t bytes);
  void givePinned(PinnedBlock block);

  /** Queues a copy of as many bytes as there is room for on the way, and says how many: 0 where `whenUploaded` has to be waited for. */
  size_t upload(CUdeviceptr to, std::span<const uint8_t> bytes);
  void whenUploaded(napi_env env, Done done);

private:
  friend class Resource;
  struct Waiting {
    SharedEvent event;
    Done done;
  };
  /** A part of the ring of uploads. */
  struct Segment {
    PinnedBlock block;
    size_t used = 0;
    /** Behind its last copy, once it is full. */
    SharedEvent event = nullptr;
  };

  void waitForNext(napi_env env);
  void closeNow();

  CUcontext context = nullptr;
  bool isClosed = false;
  /** Works that are off the thread. */
  int busy = 0;
  std::vector<std::function<void()>> closing;
  std::unordered_set<Resource *> resources;
  std::deque<Waiting> waiting;
  std::vector<PinnedBlock> pinned;
  std::deque<Segment> ring;
};

struct Allocation : Resource {
  Allocation(std::shared_ptr<Context> context, size_t bytes);
  ~Allocation() override { release(); }
  CUdeviceptr address = 0;
  const size_t bytes;
  /** Throws where [offset, offset + length) is not within it. */
  void checkSpan(double offset, size_t length) const;

protected:
  void free(const Driver &driver) override;
};

/** A place in the stream that JavaScript holds. */
struct Event : Resource {
  Event(std::shared_ptr<Context> context, SharedEvent event) : Resource(std::move(context)), event(std::move(event)) {}
  ~Event() override { release(); }
  SharedEvent event;

protected:
  void free(const Driver &) override { event.reset(); }
};
