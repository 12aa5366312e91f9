#include "signals.h"

#include <pthread.h>
#include <ucontext.h>

#include <memory>

#include "multiprocessor.h"
#include "sanitizers.h"

namespace emulator {

namespace {

constexpr int caught[] = {SIGSEGV, SIGBUS, SIGFPE};
constexpr std::size_t handlerStackBytes = 64 * 1024;

struct sigaction previous[sizeof caught / sizeof caught[0]];
pthread_t runner;

bool isWrite([[maybe_unused]] void* context) {
#if defined(__x86_64__)
    return static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_ERR] & 2;
#else
    return false;
#endif
}

void handle(int signal, siginfo_t* info, void* context) {
    if (multiprocessor.current && pthread_equal(runner, pthread_self())) {
        multiprocessor.failFromSignal(signal, info->si_addr, isWrite(context), context);
        return;
    }
    // Another thread's: V8 uses SIGSEGV for WebAssembly.
    for (unsigned i = 0; i < sizeof caught / sizeof caught[0]; i++) {
        if (caught[i] != signal) continue;
        if (previous[i].sa_flags & SA_SIGINFO) previous[i].sa_sigaction(signal, info, context);
        else if (previous[i].sa_handler != SIG_IGN && previous[i].sa_handler != SIG_DFL) previous[i].sa_handler(signal);
        else sigaction(signal, &previous[i], nullptr);
    }
}

/** A stack for the handler: the thread's own may be the one that ran out. */
struct HandlerStack {
    std::unique_ptr<char[]> memory;
    stack_t before{};
    HandlerStack() {
        sigaltstack(nullptr, &before);
        if (!(before.ss_flags & SS_DISABLE) && before.ss_size >= handlerStackBytes) return;
        memory = std::make_unique<char[]>(handlerStackBytes);
        stack_t stack{};
        stack.ss_sp = memory.get();
        stack.ss_size = handlerStackBytes;
        sigaltstack(&stack, nullptr);
    }
    ~HandlerStack() {
        if (memory) sigaltstack(&before, nullptr);
    }
};

}  // namespace

SignalGuard::SignalGuard() {
    if constexpr (sanitized) return;
    static thread_local HandlerStack stack;
    runner = pthread_self();
    struct sigaction action {};
    action.sa_sigaction = &handle;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    for (unsigned i = 0; i < sizeof caught / sizeof caught[0]; i++) sigaction(caught[i], &action, &previous[i]);
}

SignalGuard::~SignalGuard() {
    if constexpr (sanitized) return;
    for (unsigned i = 0; i < sizeof caught / sizeof caught[0]; i++) sigaction(caught[i], &previous[i], nullptr);
}

Stack hostStack() {
    Stack stack;
    if constexpr (sanitized) {
        pthread_attr_t attributes;
        void* bottom = nullptr;
        pthread_getattr_np(pthread_self(), &attributes);
        pthread_attr_getstack(&attributes, &bottom, &stack.bytes);
        pthread_attr_destroy(&attributes);
        stack.bottom = static_cast<char*>(bottom);
    }
    return stack;
}

}  // namespace emulator
