-- Reads the last event of a cache channel.
--
-- KEYS  1 cache     string, the event
-- reply {event, ms it has left}, or nothing
local cache = KEYS[1]
local event = redis.call("GET", cache)
return event and {event, redis.call("PTTL", cache)}
