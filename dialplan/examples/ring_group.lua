-- Rings Alice at once and Bob after ten seconds; whoever is called from outside presses 1, so that a mailbox never wins.
context "internal" {
  ["300"] = function(call)
    call:on_end(function(info) log("group call ended by %s after %d s of talk", info.left_by, math.floor(info.talk_seconds)) end)
    local result = call:dial({"user/alice", {"user/bob", delay = 10}}, {ring_for = 30})
    call.vars.taken_by = result.by
    if result.status ~= "answered" then
      call:note("nobody took it")
      call:hang_up("busy")
    end
  end,
}
