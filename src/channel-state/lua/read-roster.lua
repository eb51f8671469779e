-- The members of a presence channel, and the version of that list.
--
-- KEYS  1 meta    hash, #epoch, #restore_until
--       2 roster  hash, user -> <version>:<info>, "" -> version
-- reply epoch, for how many more ms members may be missing who come back after a loss, version ("0": nobody
--       is there), then user and <version>:<info> of each
local meta, roster = KEYS[1], KEYS[2]
local time = redis.call("TIME")
local nowMs = time[1] * 1000 + math.floor(time[2] / 1000)

local restoreUntilMs = tonumber(redis.call("HGET", meta, "#restore_until") or "0")
local restoreMs = string.format("%.0f", math.max(restoreUntilMs - nowMs, 0))
local reply = { redis.call("HGET", meta, "#epoch") or "0", restoreMs, "0" }
local fields = redis.call("HGETALL", roster)
for i = 1, #fields, 2 do
  if fields[i] == "" then
    reply[3] = fields[i + 1]
  else
    reply[#reply + 1] = fields[i]
    reply[#reply + 1] = fields[i + 1]
  end
end
return reply
