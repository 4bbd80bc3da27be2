// The part of the API that is written in Lua, the options of all verbs, and the list of all names.
#include "core/dialplan/api.hpp"
#include <array>

namespace strowger::dialplan {

const char* const prelude_text = R"lua(
local globals, inner = ...
local encode, decode = globals.json.encode, globals.json.decode
local pack, unpack = globals.table.pack, globals.table.unpack
local type, find, check_menu = globals.type, globals.string.find, globals.menu

-- call:menu{…}: what the chosen action returns.
function inner.menu(call, menu)
  check_menu(menu)
  while true do
    local how, digits, reason = inner.choose(call, menu)
    local action = menu.otherwise
    if how == "key" then action = menu.keys[digits]
    elseif how == "extension" then return call:go_to(digits)
    elseif action == nil then return nil, reason end
    if type(action) == "function" then return action(call, digits) end
    if type(action) == "string" then
      if find(action, "/", 1, true) then return call:dial(action) end
      return call:go_to(action)
    end
    menu = action
  end
end

local db = globals.db
local function decoded(text)
  if text == nil then return nil end
  return (decode(text))
end
local function encoded(value)
  if value == nil then return nil end
  return encode(value)
end
function db.get(key) return decoded(inner.read(key)) end
function db.set(key, value)
  local wanted = encoded(value)
  repeat until inner.swap(key, inner.read(key), wanted)
end
function db.delete(key) db.set(key, nil) end
function db.update(key, change)
  if type(change) ~= "function" then globals.error("db.update: the second argument must be a function", 2) end
  while true do
    local before = inner.read(key)
    local results = pack(change(decoded(before)))
    if inner.swap(key, before, encoded(results[1])) then return unpack(results, 2, results.n) end
  end
end
function db.each(prefix)
  prefix = prefix or ""
  local keys, texts, at = nil, nil, 0
  return function()
    if keys == nil or (at == #keys and at > 0) then
      keys, texts = inner.page(prefix, keys and keys[at])
      at = 0
    end
    at = at + 1
    if keys[at] == nil then at = 0; keys = {} return nil end
    return keys[at], decoded(texts[at])
  end
end

-- log(…) is log.info(…); the table itself cannot be changed.
local levels = globals.log
globals.log = globals.setmetatable({}, {
  __index = levels,
  __call = function(_, ...) return levels.info(...) end,
  __newindex = function(_, name) globals.error("the library's field '" .. name .. "' cannot be changed", 2) end,
  __metatable = false,
})
return inner.menu
)lua";

namespace {

constexpr std::array play{"interrupt", "times"};
constexpr std::array gather{"prompt", "min",   "max",         "terminator", "timeout", "between",
                            "tries",  "valid", "on_no_input", "on_invalid", "secret"};
constexpr std::array read_digit{"timeout"};
constexpr std::array menu{"prompt", "keys",      "extensions",  "timeout",   "between",
                          "tries",  "otherwise", "on_no_input", "on_invalid"};
constexpr std::array dial{"ring_for", "strategy", "caller_id", "ringback", "max_talk", "warn_at",
                          "confirm",  "announce", "transfer",  "headers",  "keys",     "follow_forwarding"};
constexpr std::array target{"delay", "ring_for", "caller_id"};

} // namespace

std::span<const char* const> option_names(std::string_view verb) {
    if (verb == "call:play") return play;
    if (verb == "call:gather") return gather;
    if (verb == "call:read_digit") return read_digit;
    if (verb == "menu" || verb == "call:menu") return menu;
    if (verb == "call:dial") return dial;
    if (verb == "a target") return target;
    return {};
}

std::vector<std::string> api_names() {
    std::vector<std::string> out{"call:menu", "db.get", "db.set", "db.update", "db.delete", "db.each"};
    const auto add = [&](const char* before, std::span<const api_function> functions) {
        for (const auto& f : functions)
            if (std::string_view(f.name).substr(0, 3) != "os_") out.push_back(std::string(before) + f.name);
    };
    add("call:", call_verbs());
    for (const auto& f : call_facts()) out.push_back(std::string("call.") + f.name);
    add("say.", prompt_functions());
    add("json.", json_functions());
    add("time.", time_functions());
    add("log.", log_functions());
    add("", global_functions());
    return out;
}

} // namespace strowger::dialplan
