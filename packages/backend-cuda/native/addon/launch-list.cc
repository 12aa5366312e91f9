#include "launch-list.h"

#include <cstring>

void LaunchList::launch(size_t begin, size_t end, std::span<const uint8_t> grids, bool waitsForEach) {
  context->use();
  const Driver &driver = *context->driver;
  if (begin > end || end > launches.size() || grids.size() != (end - begin) * sizeof(uint32_t[3])) throw std::invalid_argument("no such range of launches");
  for (size_t i = begin; i < end; i++) {
    Launch &launch = launches[i];
    uint32_t grid[3];
    std::memcpy(grid, grids.data() + (i - begin) * sizeof grid, sizeof grid);
    if (grid[0] == 0 || grid[1] == 0 || grid[2] == 0) continue;
    void *parameters[] = {launch.arguments.data()};
    try {
      CU(driver, cuLaunchKernel, launch.function->function, grid[0], grid[1], grid[2], launch.threads, 1, 1, 0, context->stream, parameters, nullptr);
      if (waitsForEach) CU(driver, cuStreamSynchronize, context->stream);
    } catch (CudaError &error) {
      error.launch = static_cast<int>(i);
      throw;
    }
  }
}

std::shared_ptr<Graph> captureGraph(LaunchList &list, size_t begin, size_t end, std::span<const uint8_t> grids) {
  list.context->use();
  const Driver &driver = *list.context->driver;
  auto graph = std::make_shared<Graph>(list.context);
  CU(driver, cuStreamBeginCapture_v2, list.context->stream, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL);
  CUgraph captured = nullptr;
  try {
    list.launch(begin, end, grids, false);
    CU(driver, cuStreamEndCapture, list.context->stream, &captured);
  } catch (...) {
    // Whatever failed: no stream stays captured, which could not even be waited for.
    if (driver.cuStreamEndCapture(list.context->stream, &captured) == CUDA_SUCCESS && captured != nullptr) driver.cuGraphDestroy(captured);
    throw;
  }
  const CUresult result = driver.cuGraphInstantiateWithFlags(&graph->executable, captured, 0);
  driver.cuGraphDestroy(captured);
  driver.check(result, "cuGraphInstantiateWithFlags");
  return graph;
}
