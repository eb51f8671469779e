-- Fences a node whose lease has run out: it can write no more, so what it holds can be taken away.
--
-- KEYS  1 leases  zset, node -> end of its lease in ms, -1: condemned
-- ARGV  1 node
-- reply 1 condemned, also by somebody before; 0 alive, or gone already
local leases, node = KEYS[1], ARGV[1]
local time = redis.call("TIME")
local nowMs = time[1] * 1000 + math.floor(time[2] / 1000)

local lease = tonumber(redis.call("ZSCORE", leases, node) or "-2")
if lease == -1 then return 1 end
if lease < 0 or lease >= nowMs then return 0 end
redis.call("ZADD", leases, -1, node)
return 1
