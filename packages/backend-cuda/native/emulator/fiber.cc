#include "fiber.h"

#include <sys/mman.h>
#include <ucontext.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "sanitizers.h"

extern "C" {
void facetSwitchStack(void** save, void* load);
[[noreturn]] void facetLoadStack(void* load);
}

// Saves what a callee must keep on the old stack, and loads it from the new one.
#if defined(__x86_64__)
asm(R"(
.text
.hidden facetSwitchStack
.globl facetSwitchStack
.type facetSwitchStack,@function
facetSwitchStack:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rdi
.hidden facetLoadStack
.globl facetLoadStack
.type facetLoadStack,@function
facetLoadStack:
    movq %rdi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
)");
static constexpr std::size_t savedWords = 7, returnWord = 6;
#elif defined(__aarch64__)
asm(R"(
.text
.hidden facetSwitchStack
.globl facetSwitchStack
.type facetSwitchStack,@function
facetSwitchStack:
    sub sp, sp, #160
    stp x19, x20, [sp]
    stp x21, x22, [sp, #16]
    stp x23, x24, [sp, #32]
    stp x25, x26, [sp, #48]
    stp x27, x28, [sp, #64]
    stp x29, x30, [sp, #80]
    stp d8, d9, [sp, #96]
    stp d10, d11, [sp, #112]
    stp d12, d13, [sp, #128]
    stp d14, d15, [sp, #144]
    mov x9, sp
    str x9, [x0]
    mov x0, x1
.hidden facetLoadStack
.globl facetLoadStack
.type facetLoadStack,@function
facetLoadStack:
    mov sp, x0
    ldp x19, x20, [sp]
    ldp x21, x22, [sp, #16]
    ldp x23, x24, [sp, #32]
    ldp x25, x26, [sp, #48]
    ldp x27, x28, [sp, #64]
    ldp x29, x30, [sp, #80]
    ldp d8, d9, [sp, #96]
    ldp d10, d11, [sp, #112]
    ldp d12, d13, [sp, #128]
    ldp d14, d15, [sp, #144]
    add sp, sp, #160
    ret
)");
static constexpr std::size_t savedWords = 20, returnWord = 11;
#else
#error "The emulator switches stacks by hand: add this processor to native/emulator/fiber.cc."
#endif

namespace emulator {

namespace {

// Wide, since one large frame can step over a page.
constexpr std::size_t guardBytes = 512 * 1024;
constexpr std::size_t stackBytes = 64 * 1024 * (sanitized ? 4 : 1);

}  // namespace

void switchContext(Context& from, Context& to) {
    startSwitch(&from.fakeStack, to.stack.bottom, to.stack.bytes);
    facetSwitchStack(&from.stackPointer, to.stackPointer);
    finishSwitch(from.fakeStack);
}

void leaveContext(Context& to) {
    startSwitch(nullptr, to.stack.bottom, to.stack.bytes);
    facetLoadStack(to.stackPointer);
}

void enterContext(Context& context) { finishSwitch(context.fakeStack); }

void beginContext(Context& context, const Stack& stack, void (*entry)()) {
    unpoison(stack.bottom, stack.bytes);
    // Not all at the same offset in a page: they would share the same few lines of the first-level cache.
    const std::size_t colour = (reinterpret_cast<std::uintptr_t>(stack.mapping) / (stackBytes + guardBytes)) % 31 * 128;
    auto top = reinterpret_cast<std::uintptr_t>(stack.bottom + stack.bytes) - colour;
    // x86-64 calls leave the stack 8 bytes off a multiple of 16; the word that a return address would take is the end of the chain.
    auto* words = reinterpret_cast<void**>(top & ~std::uintptr_t{15}) - savedWords - (savedWords % 2);
    std::memset(words, 0, (savedWords + savedWords % 2) * sizeof(void*));
    words[returnWord] = reinterpret_cast<void*>(entry);
    context.stack = stack;
    context.stackPointer = words;
    context.fakeStack = nullptr;
}

void redirectSignal(void* signalContext, Context& to) {
    auto& machine = static_cast<ucontext_t*>(signalContext)->uc_mcontext;
#if defined(__x86_64__)
    machine.gregs[REG_RIP] = reinterpret_cast<greg_t>(&facetLoadStack);
    machine.gregs[REG_RDI] = reinterpret_cast<greg_t>(to.stackPointer);
#else
    machine.pc = reinterpret_cast<std::uintptr_t>(&facetLoadStack);
    machine.regs[0] = reinterpret_cast<std::uintptr_t>(to.stackPointer);
#endif
}

Stack StackPool::acquire() {
    if (!free.empty()) {
        const Stack stack = free.back();
        free.pop_back();
        return stack;
    }
    void* mapping = mmap(nullptr, stackBytes + guardBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapping == MAP_FAILED || mprotect(mapping, guardBytes, PROT_NONE) != 0) std::abort();
    auto* bottom = static_cast<char*>(mapping) + guardBytes;
    all.push_back({bottom, stackBytes, static_cast<char*>(mapping)});
    return all.back();
}

bool StackPool::isGuard(const void* address) const {
    for (const Stack& stack : all)
        if (address >= stack.mapping && address < stack.bottom) return true;
    return false;
}

}  // namespace emulator
