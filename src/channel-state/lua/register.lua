-- Takes a lease of one partition for a new incarnation of a node. Sent twice it does nothing new.
--
-- The epoch tells incarnations of the data apart: ms of TIME when somebody first registered, and never lower
-- than one that anybody remembers. Whoever remembers another one knows that Redis has lost the state.
--
-- KEYS  1 leases  zset, node -> end of its lease in ms, -1: condemned
--       2 meta    hash, node -> its highest write; #epoch, #restore_until
-- ARGV  1 node  2 the node's incarnation before, or ""  3 lease, ms  4 epoch that the node remembers, or 0
--       5 how long after a loss leaves wait for those who come back, ms
--       6 1 when the node has found writes of its own lost (optional): those of others may be as well
-- reply CONDEMNED (this name is taken: try another), or OK, the epoch, the highest write of the incarnation
--       before or -1, until when leaves wait (ms; 0: no loss)
local leases, meta = KEYS[1], KEYS[2]
local node, before, leaseMs = ARGV[1], ARGV[2], tonumber(ARGV[3])
local remembered, restoreMs, hasLostWrites = tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6] == "1"
local time = redis.call("TIME")
local nowMs = time[1] * 1000 + math.floor(time[2] / 1000)

local lease = redis.call("ZSCORE", leases, node)
if lease and tonumber(lease) < 0 then return { "CONDEMNED" } end

local epoch = tonumber(redis.call("HGET", meta, "#epoch") or "0")
if epoch == 0 or epoch < remembered then
  epoch = math.max(nowMs, remembered + 1)
  redis.call("HSET", meta, "#epoch", string.format("%.0f", epoch))
end
if remembered > 0 and epoch ~= remembered then
  redis.call("HSET", meta, "#restore_until", string.format("%.0f", epoch + restoreMs))
elseif hasLostWrites then
  redis.call("HSET", meta, "#restore_until", string.format("%.0f", nowMs + restoreMs))
end
redis.call("HSETNX", meta, node, "0")
redis.call("ZADD", leases, string.format("%.0f", nowMs + leaseMs), node)
return {
  "OK",
  string.format("%.0f", epoch),
  before ~= "" and redis.call("HGET", meta, before) or "-1",
  redis.call("HGET", meta, "#restore_until") or "0",
}
