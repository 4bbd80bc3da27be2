// Runs pieces of script in a state of their own, without an engine.
#pragma once
#include "core/dialplan/script.hpp"
#include "core/dialplan/state.hpp"
#include <catch2/catch.hpp>
#include <string>

namespace strowger::dialplan {

inline limits small_limits() {
    limits l;
    l.cpu_budget = 30ms;
    l.load_budget = 200ms;
    l.memory_per_call = 2u << 20;
    l.memory = 32u << 20;
    return l;
}

/// A loaded dialplan; `call_of(name)` runs the file's function of that name as a call would, only that it cannot wait.
struct loaded {
    virtual_clock time;
    std::shared_ptr<state> in;

    explicit loaded(const std::string& main, limits l = small_limits())
        : loaded(std::map<std::string, std::string>{{"main.lua", main}}, l) {}
    explicit loaded(std::map<std::string, std::string> files, limits l = small_limits()) {
        sources s;
        s.files = std::move(files);
        s.version = "test";
        auto built = state::build(s, l, {&time, nullptr, std::nullopt}, nullptr);
        INFO((built ? "" : built.error().text));
        REQUIRE(built);
        in = std::move(*built);
    }
    /// "" when it ran well, else the error; `text` has what it returned.
    std::string call_of(const std::string& extension) {
        const auto found = in->contexts.find("test", extension);
        REQUIRE(found);
        script s(in, nullptr, script::kind::aside);
        lua_rawgeti(s.lua(), LUA_REGISTRYINDEX, found->function);
        const auto ran = s.run_now(0);
        text = ran && lua_gettop(s.lua()) > 0 && lua_isstring(s.lua(), 1) ? lua_tostring(s.lua(), 1) : "";
        return ran ? "" : ran.error().text;
    }
    std::string text;
};

/// Why a dialplan of these files does not load; "" when it does.
inline std::string load_error(std::map<std::string, std::string> files) {
    sources s;
    s.files = std::move(files);
    auto built = state::build(s, small_limits(), {}, nullptr);
    return built ? "" : built.error().text;
}
inline std::string load_error(const std::string& main) {
    return load_error(std::map<std::string, std::string>{{"main.lua", main}});
}

/// What a body returns, or its error.
inline std::string run(const std::string& body, limits within = small_limits()) {
    loaded l("context 'test' { x = function() " + body + " end }", within);
    const auto failed = l.call_of("x");
    return failed.empty() ? l.text : failed;
}

} // namespace strowger::dialplan
