// A module's file in memory: looked at before it runs, opened from a private copy, and proven to be gone afterwards.
#pragma once
#include "core/base/result.hpp"
#include "core/modules/module.hpp"
#include <boost/dll/shared_library.hpp>
#include <filesystem>
#include <string>

namespace strowger {

/// Opened from a copy of its own, so that the installed file may be replaced at any time, and several builds run side by side:
/// the dynamic linker takes files of one path for one library. Control thread only.
class module_library {
public:
    /// Runs the file's static constructors, nothing else of it. Fails in the linker's words, or says what the file is instead.
    static result<module_library> open(const std::filesystem::path& file, const std::filesystem::path& private_copy,
                                       bool keep_mapped);
    module_library(module_library&& other) noexcept;
    module_library& operator=(module_library&&) = delete;
    ~module_library();

    const module_descriptor& descriptor() const noexcept { return *descriptor_; }
    /// Closes it and deletes the copy; true when no mapping of it is left, else the copy stays too. Not below a frame of the
    /// module.
    bool close() noexcept;

private:
    module_library(boost::dll::shared_library opened, std::filesystem::path copy)
        : library_(std::move(opened)), copy_(std::move(copy)) {}
    result<> pin(const std::filesystem::path& beside) const;

    boost::dll::shared_library library_;
    std::filesystem::path copy_;
    const module_descriptor* descriptor_ = nullptr;
};

/// Deletes the private copies that an engine left behind which did not end well.
void remove_old_copies(const std::filesystem::path& run_directory);

} // namespace strowger
