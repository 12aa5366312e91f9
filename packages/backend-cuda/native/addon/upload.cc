// Host to device: bytes are copied into a ring of pinned segments and queued from there, so that the caller's array is free at once.
#include <algorithm>
#include <cstring>

#include "context.h"

namespace {
constexpr size_t SEGMENT_BYTES = 4 << 20;
constexpr size_t MOST_SEGMENTS = 8;
constexpr size_t ALIGNMENT = 256;
}

size_t Context::upload(CUdeviceptr to, std::span<const uint8_t> bytes) {
  // The last segment is being filled; the first one was filled the longest time ago.
  if (!ring.empty() && ring.back().event == nullptr && ring.back().used == SEGMENT_BYTES) ring.back().event = mark();
  if (ring.empty() || ring.back().event != nullptr) {
    if (!ring.empty() && isReached(ring.front().event)) {
      ring.push_back({ring.front().block});
      ring.pop_front();
    } else if (ring.size() < MOST_SEGMENTS) {
      void *data;
      CU(*driver, cuMemHostAlloc, &data, SEGMENT_BYTES, 0);
      ring.push_back({{static_cast<uint8_t *>(data), SEGMENT_BYTES}});
    } else {
      return 0;
    }
  }
  Segment &segment = ring.back();
  const size_t count = std::min(bytes.size(), SEGMENT_BYTES - segment.used);
  uint8_t *from = segment.block.data + segment.used;
  std::memcpy(from, bytes.data(), count);
  CU(*driver, cuMemcpyHtoDAsync_v2, to, from, count, stream);
  segment.used = std::min(SEGMENT_BYTES, (segment.used + count + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
  return count;
}

void Context::whenUploaded(napi_env env, Done done) {
  if (ring.empty() || ring.front().event == nullptr) return done(nullptr);
  whenReached(env, ring.front().event, std::move(done));
}
