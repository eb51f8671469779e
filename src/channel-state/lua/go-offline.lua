-- Tells that a user whose grace is over is offline: the watchers, and those receivers of webhooks who believe
-- that the user is online.
--
-- KEYS  1 pending    zset, what is due when: see transitions.lua
--       2 topic      where the user's coming and going is told
--       3 events     stream of this partition's transitions (optional, and so are those that follow)
--       4 wake       topic of the dispatcher
--       5 announced  hash, user channel -> 1 while receivers believe that the user is online
-- ARGV  1 the user's going away, as it is called in pending  2 PUBLISH or SPUBLISH
--       3 app  4 user channel  5 event for the receivers (optional)
-- reply 1 told, 0 not: returned, told by somebody before, or not due
local pending, topic, events, wake, announced = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local item, publish, app, channel, event = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local isRepeat = false

-- include outbox.lua

local dueMs = redis.call("ZSCORE", pending, item)
if not dueMs or tonumber(dueMs) > nowMs then return 0 end
redis.call(publish, topic, "\1\6" .. '{"online":false,"at":' .. digits(nowUs) .. "}")
if event and redis.call("HEXISTS", announced, channel) == 1 then
  append(app, channel, "user_offline", event)
  redis.call("HDEL", announced, channel)
end
redis.call("ZREM", pending, item) -- last: when telling fails it is tried again
return 1
