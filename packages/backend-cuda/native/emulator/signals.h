// Turns a kernel's segmentation fault into a fault of the launch, while one is alive. With AddressSanitizer it does nothing: that tells more.
#pragma once

#include <signal.h>

#include "fiber.h"

namespace emulator {

class SignalGuard {
public:
    SignalGuard();
    ~SignalGuard();
    SignalGuard(const SignalGuard&) = delete;
    SignalGuard& operator=(const SignalGuard&) = delete;
};

/** The stack of the calling thread; only AddressSanitizer needs it. */
Stack hostStack();

}  // namespace emulator
