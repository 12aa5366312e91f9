#include "options.h"

#include <cstdio>
#include <cstdlib>
#include <sstream>

namespace emulator {

namespace {

std::string variable(const char* name) {
    const char* value = std::getenv(name);
    return value ? value : "";
}

[[noreturn]] void refuse(const char* name, const std::string& value, const char* form) {
    std::fprintf(stderr, "emulator: %s=%s is not %s\n", name, value.c_str(), form);
    std::abort();
}

bool flag(const char* name) { return variable(name) == "1"; }

template <typename T>
void number(const char* name, T& into) {
    const std::string text = variable(name);
    if (text.empty()) return;
    char* end = nullptr;
    into = static_cast<T>(std::strtoull(text.c_str(), &end, 10));
    if (*end) refuse(name, text, "a whole number");
}

}  // namespace

Options Options::fromEnvironment() {
    Options options;
    if (const std::string order = variable("FACET_EMULATED_ORDER"); order == "reverse") {
        options.order = Order::reverse;
    } else if (order.starts_with("random:")) {
        options.order = Order::random;
        options.seed = std::strtoull(order.c_str() + 7, nullptr, 10);
    } else if (!order.empty() && order != "forward") {
        refuse("FACET_EMULATED_ORDER", order, "forward, reverse or random:SEED");
    }
    options.checkRaces = flag("FACET_EMULATED_CHECK");
    options.lazy = flag("FACET_EMULATED_LAZY");
    number("FACET_EMULATED_MEMORY", options.memoryBytes);
    number("FACET_EMULATED_DRIVER", options.driverVersion);
    number("FACET_EMULATED_DEVICES", options.devices);
    if (const std::string text = variable("FACET_EMULATED_CAPABILITY"); !text.empty())
        if (std::sscanf(text.c_str(), "%d.%d", &options.capabilityMajor, &options.capabilityMinor) != 2)
            refuse("FACET_EMULATED_CAPABILITY", text, "like 8.0");
    std::istringstream failures(variable("FACET_EMULATED_FAIL"));
    for (std::string text; std::getline(failures, text, ',');) {
        char function[64];
        int count = 0, code = 0;
        if (std::sscanf(text.c_str(), "%63[^:]:%d:%d", function, &count, &code) != 3)
            refuse("FACET_EMULATED_FAIL", text, "function:count:code");
        options.failures.push_back({function, count, code});
    }
    return options;
}

}  // namespace emulator
