// A segment of the event log that was damaged on the disk, in any way, gives back no event that was not written, and the log goes
// on behind it.
#include "core/events/log.hpp"
#include <cstdlib>
#include <fstream>
#include <unistd.h>

namespace {

using namespace strowger;
namespace fs = std::filesystem;

void require(bool holds) {
    if (!holds) std::abort();
}

/// A folder, gone with the program; contrib/fuzz has it in memory.
struct folder {
    fs::path path = fs::temp_directory_path() / ("strowger-fuzz-" + std::to_string(::getpid()));
    folder() { fs::create_directories(path); }
    ~folder() {
        std::error_code ignored;
        fs::remove_all(path, ignored);
    }
};

/// What the input says, byte by byte; zeros behind its end.
struct script {
    const std::uint8_t* at;
    const std::uint8_t* end;
    unsigned byte() { return at == end ? 0 : *at++; }
    unsigned word() {
        const auto high = byte();
        return high << 8 | byte();
    }
};

void damage(const fs::path& file, script& input) {
    std::string bytes;
    {
        std::ifstream in(file, std::ios::binary);
        bytes.assign(std::istreambuf_iterator<char>(in), {});
    }
    for (auto changes = input.byte() & 7; changes > 0 && !bytes.empty(); --changes) {
        const auto at = input.word() % bytes.size();
        bytes[at] = static_cast<char>(static_cast<unsigned char>(bytes[at]) ^ input.byte());
    }
    if (const auto cut = input.word(); cut < bytes.size() && cut != 0) bytes.resize(cut);
    bytes.append(reinterpret_cast<const char*>(input.at), static_cast<std::size_t>(input.end - input.at)); // a torn write
    std::ofstream(file, std::ios::binary) << bytes;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const folder place;
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(place.path)) fs::remove(entry.path(), ignored);

    script input{data, data + size};
    std::vector<event_record> written;
    std::uint64_t number = 0;
    for (auto count = input.byte() & 7; count > 0; --count) {
        number += 1 + (input.byte() & 3);
        written.push_back({number, std::string(input.byte(), 'a')});
    }
    require(event_log::open(place.path, 1u << 20).value()->append(written).has_value());
    if (!written.empty()) {
        char name[32];
        std::snprintf(name, sizeof name, "%020llu.log", static_cast<unsigned long long>(written.front().number));
        damage(place.path / name, input);
    }
    const auto read = [] { return event_log_reader(place.path).read(0, UINT64_MAX, 1000); };
    const auto same = [](const event_record& a, const event_record& b) { return a.number == b.number && a.text == b.text; };
    const auto left = read();
    require(left.size() <= written.size() && std::equal(left.begin(), left.end(), written.begin(), same));

    auto log = event_log::open(place.path, 1u << 20);
    require(log && (left.empty() || (*log)->last() == left.back().number));
    const event_record next{(*log)->last() + 1, "next"};
    require((*log)->append({next}).has_value());
    const auto all = read();
    require(all.size() == left.size() + 1 && std::equal(left.begin(), left.end(), all.begin(), same) && same(all.back(), next));
    return 0;
}
