-- The dialplan of the SIP tests: each extension does one thing that a test asks for.

local users = {["200"] = "user/alice", ["201"] = "user/bob", ["202"] = "user/carol"}

local function dial_user(call)
  local result = call:dial(users[call.extension], {ring_for = 20, ringback = "early", transfer = "both"})
  if result.status == "busy" then
    call:hang_up("busy")
  elseif result.status ~= "answered" then
    call:hang_up("congestion")
  end
end

context "internal" {
  ["200"] = dial_user,
  ["201"] = dial_user,
  ["202"] = dial_user,

  -- The auto-attendant: 1 is Bob, 2 says good-bye, anything else is invalid.
  ["100"] = function(call)
    call:answer()
    local digit = call:gather{prompt = "demo-thanks", max = 1, timeout = 5, tries = 3, valid = "_[12]",
                              on_invalid = "pbx-invalid"}
    if digit == "1" then
      call:dial("user/bob", {ring_for = 20, transfer = "both"})
    else
      call:play("vm-goodbye")
    end
    call:hang_up()
  end,

  -- An announcement after the answer, and then silence until the caller hangs up.
  ["300"] = function(call)
    call:answer()
    call:play("demo-thanks")
    call:play("vm-goodbye")
    call:hang_up()
  end,

  -- The caller's own voice.
  ["301"] = function(call)
    call:answer()
    call:run("echo", {prompt = ""})
  end,

  -- Early media: a prompt before the answer, then a refusal.
  ["302"] = function(call)
    call:progress()
    call:play("hello-world")
    call:hang_up("busy")
  end,

  -- Three digits, read back to the caller by one prompt each.
  ["303"] = function(call)
    call:answer()
    local digits = call:gather{min = 3, max = 3, timeout = 8, tries = 1, terminator = ""} -- here # is a key like the others
    call:play(digits == "19#" and "vm-goodbye" or digits == "196" and "hello-world" or "pbx-invalid")
    call:hang_up()
  end,

  -- Rings for ever.
  ["304"] = function(call)
    call:ring()
    call:wait(120)
  end,

  -- Answers and is silent.
  ["305"] = function(call)
    call:answer()
    call:wait(120)
  end,

  -- Plays, then connects: one RTP stream through both.
  ["306"] = function(call)
    call:answer()
    call:play("hello-world")
    call:dial("user/bob", {ring_for = 20})
  end,

  ["307"] = function(call) call:hang_up("rejected") end,

  -- Sends digits to the caller.
  ["308"] = function(call)
    call:answer()
    call:wait(0.5)
    call:send_digits("147*")
    call:wait(5)
  end,

  -- Answers a moment after ringing, to be cancelled in that moment.
  ["309"] = function(call)
    call:ring()
    call:wait(0.2)
    call:answer()
    call:wait(30)
  end,

  -- What a refusal comes to: the caller hears its cause.
  ["310"] = function(call) call:hang_up(call:dial("user/bob", {ring_for = 20}).cause) end,
  ["311"] = function(call)
    call:hang_up(call:dial({"user/bob", "user/carol"}, {ring_for = 20, strategy = "in_order"}).cause)
  end,
  ["312"] = function(call)
    local result = call:dial("user/bob", {ring_for = 20, follow_forwarding = false})
    call:hang_up(result.forwarded_to == "202" and 28 or result.cause)
  end,
  ["313"] = function(call) call:hang_up(call:dial({"user/bob", "user/carol"}, {ring_for = 20}).cause) end,

  -- Keeps its worker busy.
  ["314"] = function(call)
    local n = 0
    for i = 1, 2000000000 do n = n + i end
    call:hang_up("busy")
  end,

  -- Rings Bob with more than a datagram should hold.
  ["320"] = function(call) call:dial("user/bob", {ring_for = 20, headers = {["X-Long"] = string.rep("x", 1200)}}) end,

  -- To the outside: 0 and the number.
  ["_0X."] = function(call)
    local result = call:dial("trunk/telco/" .. call.extension:sub(2), {ring_for = 20, ringback = "early"})
    if result.status ~= "answered" then call:hang_up(result.status == "busy" and "busy" or "congestion") end
  end,

  invalid = function(call) call:hang_up("unallocated") end,
}

-- From the outside: our number and the extension.
context "from_trunk" {
  ["_4930123XXX"] = function(call) call:go_to(call.extension:sub(8), "internal") end,
  invalid = function(call) call:hang_up("unallocated") end,
}
