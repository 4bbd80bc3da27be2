// The contexts of one version of the scripts: what `context "name" {…}` declares.
#pragma once
#include "core/dialplan/pattern.hpp"
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace strowger::dialplan {

/// A context; functions are keys of the state's registry.
struct context {
    extension_table extensions;
    std::vector<std::string> includes; ///< searched after its own extensions, in this order
    std::map<std::string, std::string> hints;  ///< whose state an extension shows: extension → target
    std::optional<int> invalid, fallback;
    std::string place; ///< "main.lua:12"
};

class context_set {
public:
    struct found {
        std::string context;        ///< where it stands: that context or one it includes
        const std::string* pattern;
        int function;
    };

    /// Fails when there is one of that name.
    result<> add(const std::string& name, context c);
    /// Fails when a context includes one that does not exist, or, by some way, itself. Call it before any search.
    result<> check() const;

    bool contains(const std::string& name) const { return contexts_.contains(name); }
    std::optional<found> find(const std::string& context, std::string_view digits) const;
    bool could_match_more(const std::string& context, std::string_view digits) const;
    /// The context's own handler or that of an included one.
    std::optional<int> invalid(const std::string& name) const { return handler(name, &context::invalid); }
    std::optional<int> fallback(const std::string& name) const { return handler(name, &context::fallback); }
    const std::map<std::string, context>& all() const noexcept { return contexts_; }

private:
    std::optional<int> handler(const std::string& name, std::optional<int> context::*which) const;

    std::map<std::string, context> contexts_;
};

} // namespace strowger::dialplan
