// What a function returns that may fail for reasons the caller must decide about.
#pragma once
#include <fmt/core.h>
#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace strowger {

/// Why something failed: one sentence for a person, saying what to do next where that is known.
struct error {
    std::string text;
};

/// A `T`, or the reason why there is none.
template <class T = void> using result = tl::expected<T, error>;

/// `return fail("{}: not a WAV file", path);`
template <class... Args> [[nodiscard]] tl::unexpected<error> fail(fmt::format_string<Args...> text, Args&&... args) {
    return tl::unexpected<error>(error{fmt::format(text, std::forward<Args>(args)...)});
}

/// Hands the reason of a failed result on: `if (!file) return fail(file);`
template <class T> [[nodiscard]] tl::unexpected<error> fail(const result<T>& failed) {
    return tl::unexpected<error>(failed.error());
}

} // namespace strowger
