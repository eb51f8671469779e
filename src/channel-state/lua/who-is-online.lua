-- Which of some users of one partition are online, those within the grace among them.
--
-- KEYS  1 pending  zset, what is due when: see transitions.lua
--       then per user  counts (hash, node -> connections)
-- ARGV  per user what its going away is called in pending
-- reply when this was so (us of TIME), then per user 1 or 0
local pending = KEYS[1]
local time = redis.call("TIME")

local reply = { string.format("%.0f", time[1] * 1000000 + time[2]) }
for i, item in ipairs(ARGV) do
  local isOnline = redis.call("EXISTS", KEYS[i + 1]) == 1 or redis.call("ZSCORE", pending, item)
  reply[#reply + 1] = isOnline and 1 or 0
end
return reply
