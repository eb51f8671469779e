-- Replaces the last event of a cache channel and ends its empty episode. Safe to send twice.
--
-- KEYS  1 cache     string, the event
--       2 miss      string, there while the channel is in an empty episode that was told
-- ARGV  1 event     as read.lua answers it
--       2 ttl       of the event, ms
-- reply nothing
local cache, miss = KEYS[1], KEYS[2]
local event, ttl = ARGV[1], ARGV[2]
redis.call("SET", cache, event, "PX", ttl)
redis.call("DEL", miss)
