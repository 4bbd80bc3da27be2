// Takes typed settings out of a section and collects everything that is wrong with it: for the core and for every module.
#pragma once
#include "core/config/section.hpp"
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <vector>

namespace strowger::config {

/// The candidate that was probably meant by a mistyped word, or empty text when none is near.
std::string nearest(std::string_view word, std::span<const std::string> candidates);
/// "; did you mean \"workers\"?", or empty text when no candidate is near.
std::string did_you_mean(std::string_view word, std::span<const std::string> candidates);

/// Says what is wrong with a text and what would be right; empty when it is good.
using text_check = std::function<std::string(const std::string&)>;

/// Every function leaves `out` alone when the key is missing or its value is wrong, and notes what is wrong.
/// Call `finish` at the end: keys that nobody asked for are wrong too.
class reader {
public:
    /// Both must outlive the reader.
    reader(const section& from, problems& wrong) : from_(from), wrong_(wrong) {}

    bool has(std::string_view key);
    void flag(std::string_view key, bool& out);
    /// Between `least` and `most`, both allowed.
    template <class Integer> void integer(std::string_view key, Integer& out, std::int64_t least, std::int64_t most) {
        auto wide = static_cast<std::int64_t>(out);
        take_integer(key, wide, least, most);
        out = static_cast<Integer>(wide);
    }
    /// A whole number of the duration's own unit: seconds for `std::chrono::seconds`.
    template <class Rep, class Period>
    void span_of_time(std::string_view key, std::chrono::duration<Rep, Period>& out, std::int64_t least, std::int64_t most) {
        auto count = static_cast<std::int64_t>(out.count());
        take_integer(key, count, least, most);
        out = std::chrono::duration<Rep, Period>(static_cast<Rep>(count));
    }
    /// A whole number is taken too.
    void number(std::string_view key, double& out, double least, double most);
    /// A number of bytes, or text with a unit: "512 KiB", "16 MiB", "2 GiB".
    void bytes(std::string_view key, std::uint64_t& out, std::uint64_t least, std::uint64_t most);
    void text(std::string_view key, std::string& out, const text_check& check = {});
    /// A list of texts, of which no two are alike.
    void texts(std::string_view key, std::vector<std::string>& out, const text_check& check = {});
    /// A path; a relative one is below `base`.
    void path(std::string_view key, std::filesystem::path& out, const std::filesystem::path& base);
    void paths(std::string_view key, std::vector<std::filesystem::path>& out, const std::filesystem::path& base);

    /// Notes that this key's value is wrong: for checks that need more than one value.
    void complain(std::string_view key, std::string what);
    /// Notes every key that was not asked for, with what was probably meant.
    void finish();

private:
    const value* find(std::string_view key);
    void wrong_kind(std::string_view key, const value& found, std::string_view wanted);
    void take_integer(std::string_view key, std::int64_t& out, std::int64_t least, std::int64_t most);
    void note(const value& at, std::string what);

    const section& from_;
    problems& wrong_;
    std::vector<std::string> known_;
};

} // namespace strowger::config
