// Any text is taken as strowger.toml or refused with reasons; what is taken keeps its bounds.
#include "core/config/settings.hpp"
#include <cstdlib>

namespace {

void require(bool holds) {
    if (!holds) std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (text.find("_file") != text.npos) return 0; // it would be opened
    const auto read = strowger::config::parse(text, "/nowhere/strowger.toml");
    if (!read) {
        require(!read.error().list.empty() && !read.error().text.empty());
        for (const auto& p : read.error().list) require(!p.text.empty() && !to_text(p).empty());
        return 0;
    }
    require(read->media.first_port >= 1024 && read->media.last_port >= read->media.first_port + 7);
    require(read->media.last_port <= 65535 && read->limits.calls >= 1 && read->ledger.keep_days.count() >= 1);
    require(read->dialplan.memory_per_call <= read->dialplan.memory_limit && read->engine.state_directory.is_absolute());
    for (const auto& [name, user] : read->users) {
        require(!name.empty() && name == user.name && user.extension.size() <= 32);
        require(user.password.empty() || user.password.size() >= 8);
    }
    for (const auto& [name, module] : read->modules) (void)module.place(module["listen"]);
    return 0;
}
