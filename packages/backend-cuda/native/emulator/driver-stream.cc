// Streams and events.
#include "driver.h"
#include "memory.h"

using namespace emulator;

extern "C" {

CUresult cuStreamCreate(CUstream* stream, unsigned flags) {
    return answer("cuStreamCreate", {}, [&]() -> CUresult {
        if (!stream || flags > CU_STREAM_NON_BLOCKING) return invalidValue;
        *stream = driver.streams.add(currentContext, flags == CU_STREAM_NON_BLOCKING);
        return success;
    });
}

CUresult cuStreamDestroy_v2(CUstream stream) {
    return answer("cuStreamDestroy_v2", {.evenDead = true}, [&]() -> CUresult {
        if (!stream || !isStream(stream)) return invalidHandle;
        driver.drain(stream);
        driver.streams.remove(stream);
        return driver.fault;
    });
}

CUresult cuStreamSynchronize(CUstream stream) {
    return answer("cuStreamSynchronize", {}, [&]() -> CUresult {
        if (!isStream(stream)) return invalidHandle;
        if (stream && stream->capture) return stream->capture->invalid = true, captureUnsupported;
        if (stream) driver.drain(stream);
        else driver.drainAll();
        driver.checkMemory("at cuStreamSynchronize");
        return driver.fault;
    });
}

CUresult cuStreamQuery(CUstream stream) {
    return answer("cuStreamQuery", {}, [&]() -> CUresult {
        if (!isStream(stream)) return invalidHandle;
        if (stream && stream->capture) return stream->capture->invalid = true, captureUnsupported;
        driver.runNext(stream);
        if (driver.isDead()) return driver.fault;
        return stream && !stream->waiting.empty() ? notReady : success;
    });
}

CUresult cuEventCreate(CUevent* event, unsigned flags) {
    return answer("cuEventCreate", {}, [&]() -> CUresult {
        if (!event || flags & ~(CU_EVENT_BLOCKING_SYNC | CU_EVENT_DISABLE_TIMING)) return invalidValue;
        *event = driver.events.add(currentContext, flags);
        return success;
    });
}

CUresult cuEventDestroy_v2(CUevent event) {
    return answer("cuEventDestroy_v2", {.evenDead = true}, [&]() -> CUresult { return driver.events.remove(event) ? driver.fault : invalidHandle; });
}

CUresult cuEventRecord(CUevent event, CUstream stream) {
    return answer("cuEventRecord", {}, [&]() -> CUresult {
        if (!driver.events.has(event) || !isStream(stream)) return invalidHandle;
        event->stream = stream;
        event->captured = stream && stream->capture;
        if (event->captured) return stream->capture->invalid ? captureInvalidated : success;
        event->recording = std::make_shared<Recording>();
        return driver.enqueue(stream, [recording = event->recording] {
            recording->time = std::chrono::steady_clock::now();
            recording->done = true;
        });
    });
}

CUresult cuEventQuery(CUevent event) {
    return answer("cuEventQuery", {.noCapture = true}, [&]() -> CUresult {
        if (!driver.events.has(event)) return invalidHandle;
        if (event->captured) return capturedEvent;
        if (!event->recording || event->recording->done) return success;
        if (driver.streams.has(event->stream)) driver.runNext(event->stream);
        if (driver.isDead()) return driver.fault;
        return event->recording->done ? success : notReady;
    });
}

CUresult cuEventSynchronize(CUevent event) {
    return answer("cuEventSynchronize", {.noCapture = true}, [&]() -> CUresult {
        if (!driver.events.has(event)) return invalidHandle;
        if (event->captured) return capturedEvent;
        while (event->recording && !event->recording->done && driver.streams.has(event->stream) && driver.runNext(event->stream)) {}
        driver.checkMemory("at cuEventSynchronize");
        return driver.fault;
    });
}

CUresult cuEventElapsedTime(float* milliseconds, CUevent from, CUevent to) {
    return answer("cuEventElapsedTime", {}, [&]() -> CUresult {
        if (!milliseconds) return invalidValue;
        if (!driver.events.has(from) || !driver.events.has(to)) return invalidHandle;
        if ((from->flags | to->flags) & CU_EVENT_DISABLE_TIMING || !from->recording || !to->recording) return invalidHandle;
        if (!from->recording->done || !to->recording->done) return notReady;
        *milliseconds = std::chrono::duration<float, std::milli>(to->recording->time - from->recording->time).count();
        return success;
    });
}

}
