-- What several contexts use.
local office = {}

-- Rings an extension; when nobody takes the call, says so.
function office.ring(call)
  local result = call:dial("ext/" .. call.extension, {ring_for = 25})
  if result.status == "answered" or result.status == "transferred" then return end
  if result.status == "busy" then call:hang_up("busy") end
  if result.status == "unallocated" then call:hang_up("unallocated") end
  call:answer()
  call:play("vm-nobodyavail")
  call:hang_up("normal")
end

return office
