// Files for the tests of prompts: a directory that goes away again, and WAV files, whole and broken.
#pragma once
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <stdlib.h>
#include <string>
#include <string_view>
#include <vector>

namespace strowger::test {

class temporary_directory {
public:
    temporary_directory() {
        auto pattern = (std::filesystem::temp_directory_path() / "strowger-test-XXXXXX").string();
        if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary directory");
        path_ = pattern;
    }
    ~temporary_directory() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    temporary_directory(const temporary_directory&) = delete;
    temporary_directory& operator=(const temporary_directory&) = delete;

    std::filesystem::path operator/(std::string_view name) const { return path_ / name; }
    const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
};

inline void write(const std::filesystem::path& path, std::string_view content) {
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << content;
}

inline std::string read(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

inline std::string number(std::uint32_t value, int bytes) {
    std::string out;
    for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i) & 255);
    return out;
}

inline std::string raw(const std::vector<std::int16_t>& samples) {
    std::string out;
    for (const auto sample : samples) out += number(static_cast<std::uint16_t>(sample), 2);
    return out;
}

inline std::string wav(std::string_view data, std::uint32_t rate = 8000, unsigned channels = 1, unsigned coding = 1,
                       unsigned bits = 16) {
    const auto size = static_cast<std::uint32_t>(data.size());
    return "RIFF" + number(36 + size, 4) + "WAVEfmt " + number(16, 4) + number(coding, 2) + number(channels, 2) +
           number(rate, 4) + number(rate * channels * bits / 8, 4) + number(channels * bits / 8, 2) + number(bits, 2) + "data" +
           number(size, 4) + std::string(data);
}

inline std::string wav(const std::vector<std::int16_t>& samples, std::uint32_t rate = 8000, unsigned channels = 1) {
    return wav(raw(samples), rate, channels);
}

} // namespace strowger::test
