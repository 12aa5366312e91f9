// Where in the source something happened.
#pragma once

namespace emulator {

struct Place {
    const char* file = "";
    int line = 0;

    static constexpr Place here(const char* file = __builtin_FILE(), int line = __builtin_LINE()) { return {file, line}; }
    bool operator==(const Place& other) const { return line == other.line && file == other.file; }
};

}  // namespace emulator
