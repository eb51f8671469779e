-- Renews a node's lease of one partition, and tells which nodes have lost theirs.
--
-- KEYS  1 leases  zset, node -> end of its lease in ms, -1: condemned
--       2 meta    hash, node -> its highest write; #epoch
-- ARGV  1 node  2 lease, ms
-- reply UNREGISTERED, or OK, the node's highest write, the epoch, then at most 16 nodes to be reaped
local leases, meta = KEYS[1], KEYS[2]
local node, leaseMs = ARGV[1], tonumber(ARGV[2])
local time = redis.call("TIME")
local nowMs = time[1] * 1000 + math.floor(time[2] / 1000)

local lease = tonumber(redis.call("ZSCORE", leases, node) or "-1")
if lease < 0 then return { "UNREGISTERED" } end
redis.call("ZADD", leases, string.format("%.0f", nowMs + leaseMs), node)
local reply = { "OK", redis.call("HGET", meta, node) or "0", redis.call("HGET", meta, "#epoch") or "0" }
-- Whose own lease has run out has not seen the others renew theirs: Redis was away for all of them.
if lease < nowMs then return reply end
local ended = "(" .. string.format("%.0f", nowMs)
for _, other in ipairs(redis.call("ZRANGEBYSCORE", leases, "-inf", ended, "LIMIT", 0, 16)) do
  reply[#reply + 1] = other
end
return reply
