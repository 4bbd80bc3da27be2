#include "core/dialplan/sources.hpp"
#include <algorithm>
#include <fstream>
#include <openssl/sha.h>
#include <sstream>

namespace strowger::dialplan {
namespace {

namespace fs = std::filesystem;
constexpr std::uintmax_t most_text = 16u << 20;

bool is_source(const fs::path& file) { return file.extension() == ".lua" || file.extension() == ".toml"; }

result<> read_one(const fs::path& file, const std::string& name, sources& into) {
    std::error_code failed;
    if (!fs::is_regular_file(file, failed))
        return fail("{}: is not a file; a script is a regular file that can be read", file.string());
    std::ifstream in(file, std::ios::binary);
    std::ostringstream text;
    if (in.peek() != std::ifstream::traits_type::eof()) text << in.rdbuf();
    if (!in || in.bad()) return fail("{}: cannot be read", file.string());
    auto content = text.str();
    if (!content.empty() && content[0] == '\x1b') return fail("{}:1: is compiled Lua; only source text is accepted", name);
    into.files.emplace(name, std::move(content));
    return {};
}

result<> read_folder(const fs::path& folder, const fs::path& root, bool deep, sources& into, std::uintmax_t& total) {
    std::error_code failed;
    std::vector<fs::path> found;
    for (fs::directory_iterator it(folder, failed), end; !failed && it != end; it.increment(failed)) found.push_back(it->path());
    std::sort(found.begin(), found.end());
    for (const auto& path : found) {
        if (path.filename().string().starts_with('.')) continue;
        if (fs::is_directory(path, failed)) {
            if (is_source(path)) return fail("{}: is a directory in the place of a script", path.string());
            if (!deep) continue;
            if (auto below = read_folder(path, root, deep, into, total); !below) return below;
        } else if (is_source(path)) {
            total += fs::file_size(path, failed);
            if (failed || total > most_text)
                return fail("{}: the scripts together are larger than 16 MB, or cannot be read", path.string());
            if (auto one = read_one(path, path.lexically_relative(root).generic_string(), into); !one) return one;
        }
    }
    return {};
}

} // namespace

bool valid_module_name(std::string_view name) noexcept {
    if (name.empty() || name.size() > 200 || name.front() == '.' || name.back() == '.' || name.find("..") != name.npos)
        return false;
    return std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
    });
}

result<sources> sources::read(const fs::path& directory) {
    sources out;
    std::error_code failed;
    if (!fs::is_directory(directory, failed)) return fail("{}: there is no such directory for the dialplan", directory.string());
    if (!fs::exists(directory / "main.lua", failed))
        return fail("{}: there is no main.lua; a dialplan begins there", (directory / "main.lua").string());
    std::uintmax_t total = 0;
    if (auto beside = read_folder(directory, directory, false, out, total); !beside) return fail(beside);
    if (fs::is_directory(directory / "lib", failed))
        if (auto lib = read_folder(directory / "lib", directory, true, out, total); !lib) return fail(lib);

    std::string all;
    for (const auto& [name, text] : out.files) all += fmt::format("{} {}\n", name, text.size()) + text;
    unsigned char digest[SHA256_DIGEST_LENGTH];
    SHA256(reinterpret_cast<const unsigned char*>(all.data()), all.size(), digest);
    for (int i = 0; i < 6; ++i) out.version += fmt::format("{:02x}", digest[i]);
    return out;
}

const std::string* sources::find(const std::string& name, std::string& path) const {
    auto below = name;
    std::replace(below.begin(), below.end(), '.', '/');
    for (const auto& candidate : {"lib/" + below + ".lua", below + ".lua", "lib/" + below + ".toml", below + ".toml"}) {
        const auto it = files.find(candidate);
        if (it == files.end()) continue;
        path = candidate;
        return &it->second;
    }
    return nullptr;
}

} // namespace strowger::dialplan
