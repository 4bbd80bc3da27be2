// The files of a dialplan, read once: all states of a version are built from the same text.
#pragma once
#include "core/base/result.hpp"
#include <filesystem>
#include <map>
#include <string>

namespace strowger::dialplan {

struct sources {
    /// By the path below the directory: "main.lua", "lib/office.lua", "reception.toml".
    std::map<std::string, std::string> files;
    std::string version; ///< 12 hexadecimal digits of a hash of names and texts

    /// Reads main.lua, the scripts and the data (TOML) beside it and those below lib/. Blocks on the disk. Fails without a
    /// readable main.lua, for more than 16 MB, and for compiled Lua.
    static result<sources> read(const std::filesystem::path& directory);
    /// The file for `require "name"`: lib/name.lua, else name.lua, else the same with .toml; dots are folders. Null when there is
    /// none.
    const std::string* find(const std::string& name, std::string& path) const;
};

/// Letters, digits, `_` and `-`, with dots in between.
bool valid_module_name(std::string_view name) noexcept;

} // namespace strowger::dialplan
