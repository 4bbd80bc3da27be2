-- Counts callers in the database, safely over all workers, and tells each his number; a PIN opens the list.
context "internal" {
  ["700"] = function(call)
    local mine = db.update("visitors", function(count) count = (count or 0) + 1 return count, count end)
    call:answer()
    call:play({"you-entered", say.number(mine)})
  end,
  ["701"] = function(call)
    local pin, why = call:gather{prompt = "enter-pin", min = 4, max = 4, secret = true, valid = "4711"}
    if not pin then
      call:log("no pin", {reason = why})
      call:hang_up("rejected")
    end
    call:play(say.number(db.get("visitors") or 0))
  end,
}
