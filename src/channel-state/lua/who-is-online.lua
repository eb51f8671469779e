-- Which of some users of one partition are online, those within the grace among them.
--
-- KEYS  1 meta     hash, #epoch, #restore_until
--       2 pending  zset, what is due when: see transitions.lua
--       then per user  counts (hash, node -> connections)
-- ARGV  per user what its going away is called in pending
-- reply epoch, for how many more ms users may be missing who come back after a loss, when this was so (us of
--       TIME), then per user 1 or 0
local meta, pending = KEYS[1], KEYS[2]
local time = redis.call("TIME")
local nowMs = time[1] * 1000 + math.floor(time[2] / 1000)

local restoreUntilMs = tonumber(redis.call("HGET", meta, "#restore_until") or "0")
local reply = {
  redis.call("HGET", meta, "#epoch") or "0",
  string.format("%.0f", math.max(restoreUntilMs - nowMs, 0)),
  string.format("%.0f", time[1] * 1000000 + time[2]),
}
for i, item in ipairs(ARGV) do
  local isOnline = redis.call("EXISTS", KEYS[i + 2]) == 1 or redis.call("ZSCORE", pending, item)
  reply[#reply + 1] = isOnline and 1 or 0
end
return reply
