// What the files of bindings share.
#pragma once
#include "core/dialplan/lua.hpp"

namespace strowger::dialplan {

constexpr const char* call_type = "strowger.call";
constexpr const char* variables_type = "strowger.variables";
constexpr const char* party_type = "strowger.party";
constexpr const char* prompt_type = "strowger.prompt";
constexpr const char* menu_type = "strowger.menu";

/// The call of a method: argument 1. Throws script_error when it is not the running call's.
call& call_of(lua_State* L, const char* verb);
/// The same for what needs a caller, who is gone in on_end.
call& caller_of(lua_State* L, const char* verb);
/// call:menu without the actions; for the prelude.
lua_CFunction menu_primitive();
lua_CFunction store_read();
lua_CFunction store_swap();
lua_CFunction store_page();

} // namespace strowger::dialplan
