-- Notes that a dispatcher is alive, and answers who else is. Safe to send twice.
--
-- KEYS  1 dispatchers  zset, dispatcher -> end of its listing in ms of Redis TIME
-- ARGV  1 dispatcher   2 ttl of the listing, ms
-- reply the dispatchers that are alive
local dispatchers, dispatcher, ttlMs = KEYS[1], ARGV[1], tonumber(ARGV[2])
local time = redis.call("TIME")
local nowMs = time[1] * 1000 + math.floor(time[2] / 1000)

-- First what takes no memory: a full Redis refuses only what is written first.
redis.call("ZREMRANGEBYSCORE", dispatchers, "-inf", string.format("%.0f", nowMs))
redis.call("ZADD", dispatchers, string.format("%.0f", nowMs + ttlMs), dispatcher)
return redis.call("ZRANGE", dispatchers, 0, -1)
