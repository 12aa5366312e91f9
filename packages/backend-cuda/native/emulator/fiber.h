// Fibers: stacks of their own that pass control to one another by hand.
#pragma once

#include <cstddef>
#include <vector>

namespace emulator {

struct Stack {
    char* bottom = nullptr;
    std::size_t bytes = 0;
    char* mapping = nullptr;
};

/** A place in a computation that control can come back to. `stackPointer` is null until it has begun. */
struct Context {
    void* stackPointer = nullptr;
    Stack stack;
    void* fakeStack = nullptr;  // AddressSanitizer's own
};

/** Leaves `from`, to come back when something switches to it, and goes on in `to`. */
void switchContext(Context& from, Context& to);
/** Goes on in `to`; what runs has ended, and its stack may be used anew. */
[[noreturn]] void leaveContext(Context& to);
/** What an entry calls first, having been switched to. */
void enterContext(Context& context);
/** Makes `context` begin with `entry()`, which never returns, when it is switched to. */
void beginContext(Context& context, const Stack& stack, void (*entry)());
/** For signal handlers: makes the interrupted code go on in `to` when the handler returns. */
void redirectSignal(void* signalContext, Context& to);

/** Stacks with guard pages below, used last in first out, so that few are touched. */
class StackPool {
public:
    Stack acquire();
    void release(const Stack& stack) { free.push_back(stack); }
    /** True for an address in the guard pages below one of the pool's stacks. */
    bool isGuard(const void* address) const;

private:
    std::vector<Stack> free;
    std::vector<Stack> all;
};

}  // namespace emulator
