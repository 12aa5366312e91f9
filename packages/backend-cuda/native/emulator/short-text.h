// A text without memory of its own: what a fault leaves behind on a fiber is never destroyed.
#pragma once

#include <cstdarg>
#include <cstdio>

namespace emulator {

class ShortText {
public:
    explicit ShortText(const char* format, ...) __attribute__((format(printf, 2, 3))) {
        va_list values;
        va_start(values, format);
        std::vsnprintf(text, sizeof text, format, values);
        va_end(values);
    }
    const char* c_str() const { return text; }

private:
    char text[300];
};

}  // namespace emulator
