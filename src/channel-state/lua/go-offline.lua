-- Tells the watchers of a user whose grace is over that the user is offline.
--
-- KEYS  1 pending  zset, what is due when: see transitions.lua
--       2 topic    where the user's coming and going is told
-- ARGV  1 the user's going away, as it is called in pending  2 PUBLISH or SPUBLISH
-- reply 1 told, 0 not: returned, told by somebody before, or not due
local pending, topic, item, publish = KEYS[1], KEYS[2], ARGV[1], ARGV[2]
local time = redis.call("TIME")
local nowMs = time[1] * 1000 + math.floor(time[2] / 1000)

local dueMs = redis.call("ZSCORE", pending, item)
if not dueMs or tonumber(dueMs) > nowMs then return 0 end
redis.call("ZREM", pending, item)
local at = string.format("%.0f", time[1] * 1000000 + time[2])
redis.call(publish, topic, "\1\6" .. '{"online":false,"at":' .. at .. "}")
return 1
