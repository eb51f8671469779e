-- Renews a node's lease of one partition, and tells which nodes have lost theirs.
--
-- KEYS  1 leases  zset, node -> end of its lease in ms, -1: condemned
--       2 meta    hash, node -> its highest write; #epoch
-- ARGV  1 node  2 lease, ms  3 a whole number that is another each time (optional): where among the condemned
--       to begin, since those that cannot be buried must not hide the rest
-- reply UNREGISTERED, or OK, the node's highest write, the epoch, then at most 16 nodes to be reaped
local leases, meta = KEYS[1], KEYS[2]
local MOST = 16
local node, leaseMs, turn = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3] or "0")
local time = redis.call("TIME")
local nowMs = time[1] * 1000 + math.floor(time[2] / 1000)

local lease = tonumber(redis.call("ZSCORE", leases, node) or "-1")
if lease < 0 then return { "UNREGISTERED" } end
redis.call("ZADD", leases, string.format("%.0f", nowMs + leaseMs), node)
local reply = { "OK", redis.call("HGET", meta, node) or "0", redis.call("HGET", meta, "#epoch") or "0" }
-- Whose own lease has run out has not seen the others renew theirs: Redis was away for all of them.
if lease < nowMs then return reply end
local function tell(lowest, highest, first, most)
  for _, other in ipairs(redis.call("ZRANGEBYSCORE", leases, lowest, highest, "LIMIT", first, most)) do
    reply[#reply + 1] = other
  end
end
tell("0", "(" .. string.format("%.0f", nowMs), 0, MOST)
local condemned = redis.call("ZCOUNT", leases, "-1", "-1")
local room = MOST + 3 - #reply
if room > 0 and condemned > 0 then tell("-1", "-1", condemned > room and turn % condemned or 0, room) end
return reply
