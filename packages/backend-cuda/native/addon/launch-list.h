// The kernels of a plan with their arguments packed: any range of them is launched by one call, or captured as a graph.
#pragma once
#include <vector>

#include "context.h"

struct Module : Resource {
  explicit Module(std::shared_ptr<Context> context) : Resource(std::move(context)) {}
  ~Module() override { release(); }
  CUmodule module = nullptr;

protected:
  void free(const Driver &driver) override {
    if (module != nullptr) driver.cuModuleUnload(module);
  }
};

struct Function {
  /** Keeps it loaded. */
  std::shared_ptr<Module> module;
  CUfunction function = nullptr;
};

struct Launch {
  std::shared_ptr<Function> function;
  unsigned threads;
  /** The kernel's one parameter. */
  std::vector<uint8_t> arguments;
};

/** Blocks of a launch in x, y and z, u32 [3]. */
using Grid = const uint32_t *;

struct LaunchList {
  std::shared_ptr<Context> context;
  std::vector<Launch> launches;

  /**
   * Launches [begin, end). grids: u32 [end - begin, 3]; an empty one is left out.
   * @throws CudaError with the launch's index; with `waitsForEach` also where the kernel itself failed
   */
  void launch(size_t begin, size_t end, std::span<const uint8_t> grids, bool waitsForEach);
};

struct Graph : Resource {
  explicit Graph(std::shared_ptr<Context> context) : Resource(std::move(context)) {}
  ~Graph() override { release(); }
  CUgraphExec executable = nullptr;

protected:
  void free(const Driver &driver) override {
    if (executable != nullptr) driver.cuGraphExecDestroy(executable);
  }
};

std::shared_ptr<Graph> captureGraph(LaunchList &list, size_t begin, size_t end, std::span<const uint8_t> grids);
