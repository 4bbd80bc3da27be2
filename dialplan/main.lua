-- The dialplan that ships: what a small office needs on its first day. README.md beside this file tells how to write one,
-- meta/strowger.lua has the whole API.
local office = require "office"

context "internal" {
  -- The front desk: a greeting, a choice by key, or the extension dialled directly.
  ["100"] = function(call)
    call:run("auto_attendant", {
      greeting = "welcome",
      menu = {"for-sales-press-1", "for-support-press-2", "for-operator-press-0"},
      keys = {["1"] = "ext/201", ["2"] = "ext/200"},
      extensions = "_2XX",
      operator = "ext/200",
    })
  end,

  -- People.
  ["_2XX"] = office.ring,

  -- Is there sound both ways?
  ["600"] = function(call)
    local result = call:run("echo", {})
    call:log("echo test ended", result)
  end,

  -- Does the engine play?
  ["601"] = function(call)
    call:answer()
    call:play({"welcome", silence(0.5), say.digits(call.from.number)}, {times = 3})
  end,

  -- Do keys arrive? Says back what was dialled, until nothing is.
  ["602"] = function(call)
    repeat
      local digits = call:gather{prompt = tone("beep"), min = 1, max = 20, tries = 1, timeout = 10}
      if digits then call:play({"you-entered", say.digits(digits)}) end
    until not digits
    call:play("goodbye")
  end,

  invalid = function(call)
    call:play("invalid", {interrupt = "none"}) -- early media: the caller hears it and does not pay
    call:hang_up("unallocated")
  end,

  -- Where a call goes whose script made a mistake; the log has its line.
  fallback = function(call)
    call:play("technical-problem", {interrupt = "none"})
    call:hang_up(41)
  end,
}
