-- Reads the last event of a cache channel for a new subscriber. When there is none, tells the outbox, once per
-- empty episode: an episode ends with the next event or when its time is over. Safe to send twice.
--
-- KEYS  1 cache     string, the event
--       2 miss      string, there while the channel is in an empty episode that was told
--       3 events    stream of the partition's events
--       4 wake      topic of the partition's dispatcher
-- ARGV  1 ttl       of an episode, ms
--       2 app
--       3 channel
--       4 json      the cache_miss event
--       5 publish   PUBLISH or SPUBLISH
-- reply {event, ms it has left}, or nothing
local cache, miss, events, wake = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local ttl, app, channel, json, publish = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local event = redis.call("GET", cache)
if event then
  return {event, redis.call("PTTL", cache)}
end
if redis.call("SET", miss, "1", "PX", ttl, "NX") then
  local wasEmpty = redis.call("XLEN", events) == 0
  redis.call("XADD", events, "*", "a", app, "c", channel, "t", "cache_miss", "j", json)
  if wasEmpty then
    redis.call(publish, wake, "1")
  end
end
return false
