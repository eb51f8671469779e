-- Ends a channel's count window: tells the total if it is another than was told last.
--
-- KEYS  1 pending    zset, what is due when: see transitions.lua
--       2 events     stream of this partition's transitions
--       3 wake       topic of the dispatcher
--       4 totals     hash, channel -> subscriptions
--       5 announced  hash, channel -> count last told
--       6 topic      of the channel
-- ARGV  1 the window, as it is called in pending  2 app  3 channel  4 PUBLISH or SPUBLISH
-- reply 1 told, 0 not: the same count, or the window is not due or gone
local pending, events, wake = KEYS[1], KEYS[2], KEYS[3]
local totals, announced, topic = KEYS[4], KEYS[5], KEYS[6]
local item, app, channel, publish = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local isRepeat = false

-- include outbox.lua

local dueMs = redis.call("ZSCORE", pending, item)
if not dueMs or tonumber(dueMs) > nowMs then return 0 end
local total = redis.call("HGET", totals, channel) or "0"
local isNew = total ~= (redis.call("HGET", announced, channel) or "0")
if isNew then
  redis.call(publish, topic, "\1\5" .. '{"count":' .. total .. "}")
  append(app, channel, "subscription_count", countEvent(channel, total))
  redis.call("HSET", announced, channel, total)
end
redis.call("ZREM", pending, item) -- last: when one of these fails it is tried again
return isNew and 1 or 0
