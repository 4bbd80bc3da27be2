#include "core/modules/library.hpp"
#include "core/base/log.hpp"
#include <boost/dll/library_info.hpp>
#include <algorithm>
#include <cctype>
#include <cstring>
#include <dlfcn.h>
#include <fstream>
#include <iterator>

namespace strowger {
namespace fs = std::filesystem;
namespace {

constexpr const char* exported_name = "strowger_module";
constexpr std::string_view abi_prefix = "strowger_core_abi_";

/// The build of the core that the file was made for, as its text names it; empty when it names none.
std::string wanted_abi(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(in), {}};
    const auto at = bytes.find(abi_prefix);
    if (at == std::string::npos) return {};
    const auto begin = at + abi_prefix.size();
    auto end = begin;
    while (end < bytes.size() && (std::isalnum(static_cast<unsigned char>(bytes[end])) || bytes[end] == '_')) ++end;
    return bytes.substr(begin, end - begin);
}

std::string replaced(std::string text, const std::string& what, const std::string& by) {
    for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size()))
        text.replace(at, what.size(), by);
    return text;
}

/// What dlopen said, out of Boost's "boost::dll::shared_library::load() failed (dlerror system message: …): …".
std::string linker_text(std::string text, const fs::path& copy, const fs::path& file) {
    constexpr std::string_view opening = "dlerror system message: ";
    if (const auto at = text.find(opening); at != std::string::npos) {
        text.erase(0, at + opening.size());
        if (const auto end = text.rfind("): "); end != std::string::npos) text.erase(end);
    }
    return replaced(std::move(text), copy.string(), file.string());
}

result<> look_at(const fs::path& file) {
    std::error_code ec;
    const auto status = fs::status(file, ec);
    if (!fs::exists(status)) return fail("{}: there is no such file", file.string());
    if (!fs::is_regular_file(status)) return fail("{}: not a file; a module is one shared object", file.string());
    try {
        boost::dll::library_info info(file);
        const auto names = info.symbols();
        if (std::find(names.begin(), names.end(), exported_name) == names.end())
            return fail("{}: a shared object, but not a module: it exports no {} (see STROWGER_MODULE)", file.string(),
                        exported_name);
    } catch (const std::exception&) {
        return fail("{}: not a shared object for this machine, or cut short; build or copy it again", file.string());
    }
    return {};
}

bool is_mapped(const fs::path& copy) {
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);)
        if (line.find(copy.string()) != std::string::npos) return true;
    return false;
}

/// Pins what is in memory, or brings it there, for as long as the process lives.
bool open_for_ever(const std::string& name) { return ::dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE) != nullptr; }

} // namespace

module_library::module_library(module_library&& other) noexcept
    : library_(std::move(other.library_)), copy_(std::exchange(other.copy_, {})),
      descriptor_(std::exchange(other.descriptor_, nullptr)) {}

module_library::~module_library() { close(); }

bool module_library::close() noexcept {
    if (copy_.empty()) return true;
    descriptor_ = nullptr;
    library_.unload();
    const auto copy = std::exchange(copy_, {});
    const bool gone = !is_mapped(copy);
    // What stays mapped keeps its file too: leak reports and debuggers read the names of its functions there.
    std::error_code ignored;
    if (gone) fs::remove(copy, ignored);
    return gone;
}

result<> module_library::pin(const fs::path& beside) const {
    for (auto name = descriptor_->pins; name != nullptr && *name != nullptr; ++name) {
        const auto neighbour = beside / *name;
        std::error_code ec;
        if (!open_for_ever(fs::exists(neighbour, ec) ? neighbour.string() : *name)) {
            const char* why = ::dlerror();
            return fail("the library {}, which it needs to stay in memory, cannot be opened: {}", *name,
                        why != nullptr ? why : "no reason given");
        }
    }
    return {};
}

result<module_library> module_library::open(const fs::path& file, const fs::path& private_copy, bool keep_mapped) {
    if (auto good = look_at(file); !good) return fail(good);
    std::error_code ec;
    fs::create_directories(private_copy.parent_path(), ec);
    const auto directory = fs::canonical(private_copy.parent_path(), ec);
    if (ec) return fail("{}: {}; modules are copied there to run", private_copy.parent_path().string(), ec.message());
    const auto copy = directory / private_copy.filename();
    if (!fs::copy_file(file, copy, fs::copy_options::overwrite_existing, ec))
        return fail("cannot copy {} to {}: {}", file.string(), copy.string(), ec.message());

    module_library opened({}, copy); // deletes the copy when something fails below
    try {
        opened.library_.load(copy, boost::dll::load_mode::rtld_now | boost::dll::load_mode::rtld_local);
    } catch (const std::exception& e) {
        if (const auto wanted = wanted_abi(file); !wanted.empty() && wanted != STROWGER_ABI_TEXT)
            return fail("{} was built for another core ({}; this one is {}); rebuild it with this engine's headers",
                        file.filename().string(), wanted, STROWGER_ABI_TEXT);
        return fail("{}", linker_text(e.what(), copy, file));
    }
    opened.descriptor_ = &opened.library_.get<const module_descriptor>(exported_name);
    if (opened.descriptor_->abi != &STROWGER_ABI_SYMBOL || opened.descriptor_->create == nullptr)
        return fail("{}: its descriptor is damaged; declare the module by STROWGER_MODULE", file.string());
    if (const std::string name = opened.descriptor_->name; name != file.stem().string())
        return fail("{}: the module calls itself {}; a module's file has its name", file.string(), name);
    if (auto pinned = opened.pin(file.parent_path()); !pinned) return fail("{}: {}", file.string(), pinned.error().text);
    if (keep_mapped) open_for_ever(copy.string());
    return opened;
}

void remove_old_copies(const fs::path& run_directory) {
    std::error_code ec;
    for (const auto& entry : fs::directory_iterator(run_directory, ec)) {
        // <name>.<generation>.so
        const auto& path = entry.path();
        const auto generation = path.stem().extension().string();
        if (path.extension() != ".so" || generation.size() < 2) continue;
        if (std::all_of(generation.begin() + 1, generation.end(), [](unsigned char c) { return std::isdigit(c) != 0; }))
            fs::remove(path, ec);
    }
}

} // namespace strowger
