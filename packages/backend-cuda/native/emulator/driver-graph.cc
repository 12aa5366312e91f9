// Capturing a stream, and graphs.
#include "driver.h"

using namespace emulator;

extern "C" {

CUresult cuStreamBeginCapture_v2(CUstream stream, int mode) {
    return answer("cuStreamBeginCapture_v2", {}, [&]() -> CUresult {
        if (mode < captureGlobal || mode > captureRelaxed) return invalidValue;
        if (!stream) return captureUnsupported;
        if (!isStream(stream)) return invalidHandle;
        if (stream->capture) return illegalState;
        stream->capture = std::make_unique<Capture>(Capture{mode, std::this_thread::get_id(), {}});
        return success;
    });
}

CUresult cuStreamEndCapture(CUstream stream, CUgraph* graph) {
    return answer("cuStreamEndCapture", {}, [&]() -> CUresult {
        if (!graph) return invalidValue;
        if (!stream || !isStream(stream)) return invalidHandle;
        if (!stream->capture) return illegalState;
        if (stream->capture->mode != captureRelaxed && stream->capture->thread != std::this_thread::get_id()) return captureWrongThread;
        const std::unique_ptr<Capture> capture = std::move(stream->capture);
        *graph = nullptr;
        if (capture->invalid) return captureInvalidated;
        *graph = driver.graphs.add(std::make_shared<const std::vector<Operation>>(std::move(capture->operations)));
        return success;
    });
}

CUresult cuGraphInstantiateWithFlags(CUgraphExec* exec, CUgraph graph, unsigned long long flags) {
    return answer("cuGraphInstantiateWithFlags", {}, [&]() -> CUresult {
        if (!exec || flags) return invalidValue;
        if (!driver.graphs.has(graph)) return invalidValue;
        *exec = driver.graphExecs.add(graph->operations);
        return success;
    });
}

CUresult cuGraphLaunch(CUgraphExec exec, CUstream stream) {
    return answer("cuGraphLaunch", {}, [&]() -> CUresult {
        if (!driver.graphExecs.has(exec)) return invalidValue;
        if (!isStream(stream)) return invalidHandle;
        return driver.enqueue(stream, [operations = exec->operations] {
            for (const Operation& operation : *operations) driver.run(operation);
        });
    });
}

CUresult cuGraphExecDestroy(CUgraphExec exec) {
    return answer("cuGraphExecDestroy", {.evenDead = true}, [&]() -> CUresult { return driver.graphExecs.remove(exec) ? driver.fault : invalidValue; });
}

CUresult cuGraphDestroy(CUgraph graph) {
    return answer("cuGraphDestroy", {.evenDead = true}, [&]() -> CUresult { return driver.graphs.remove(graph) ? driver.fault : invalidValue; });
}

}
