-- What the calls of contrib/bench do.
context "internal" {
  ["100"] = function(call)
    call:answer()
    call:hang_up()
  end,
  ["200"] = function(call) call:dial("user/callee") end,
  ["300"] = function(call)
    call:answer()
    call:play("bench-tone", {times = 1000})
  end,
  ["400"] = function(call)
    call:answer()
    call:wait(3600)
  end,
}
