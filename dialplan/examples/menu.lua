-- A menu inside a menu, with extensions and a way out.
local operator = "ext/200"

local support = menu{
  prompt = "welcome",
  keys = {["1"] = "ext/201", ["2"] = "ext/202"},
  otherwise = operator,
}
local front = menu{
  prompt = {en = "welcome", de = "welcome"},
  keys = {["1"] = operator, ["2"] = support, ["9"] = function(call) call.language = "de" return call:go_to("100") end},
  extensions = "_2XX",
  tries = 2,
  otherwise = operator,
}

context "internal" {
  ["100"] = function(call) call:menu(front) end,
  ["_2XX"] = function(call) call:dial("ext/" .. call.extension) end,
}
