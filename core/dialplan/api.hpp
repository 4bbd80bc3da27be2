// What scripts can use, in one place: the bindings register it, the lint knows it, a test compares it with dialplan/meta.
#pragma once
#include <lua.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace strowger::dialplan {

struct api_function {
    const char* name;
    lua_CFunction code;
};
/// A field of `call`; without `set` it can only be read.
struct api_fact {
    const char* name;
    lua_CFunction get;
    lua_CFunction set = nullptr;
};

std::span<const api_function> call_verbs();
std::span<const api_fact> call_facts();
std::span<const api_function> prompt_functions();   ///< say.*
std::span<const api_function> json_functions();     ///< json.*
std::span<const api_function> time_functions();     ///< time.*
std::span<const api_function> log_functions();      ///< log.*
std::span<const api_function> global_functions();   ///< tone, silence, menu, context, random …
/// For the prelude only: what it builds the rest from.
std::span<const api_function> inner_functions();

/// The options of a verb by its name: "call:dial", "menu". Empty for one without.
std::span<const char* const> option_names(std::string_view verb);
/// Everything above and what the prelude adds, as "call:dial", "call.id", "say.digits", "random".
std::vector<std::string> api_names();

/// What is more easily said in Lua: call:menu, db.update, db.each. It gets the inner functions as its argument.
extern const char* const prelude_text;
constexpr const char* prelude_name = "strowger";

/// Makes the types that scripts see: calls, their variables, prompts and menus.
void install_types(lua_State* L);

} // namespace strowger::dialplan
