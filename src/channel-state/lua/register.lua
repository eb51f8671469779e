-- Takes a lease of one partition for a new incarnation of a node. Sent twice it does nothing new.
--
-- The epoch tells incarnations of the data apart: ms of TIME when somebody first registered, and never lower
-- than one that anybody remembers. Whoever remembers another one knows that Redis has lost the state.
--
-- KEYS  1 leases  zset, node -> end of its lease in ms, -1: condemned
--       2 meta    hash, node -> its highest write; #epoch, #restore_until, #lost_until
-- ARGV  1 node  2 the node's incarnation before, or ""  3 lease, ms  4 epoch that the node remembers, or 0
--       5 how long after a loss leaves wait for those who come back, ms
--       6 1 when the node has found writes of its own lost (optional): those of others may be as well
--       7 for how long others may come who have lost the state, if it is this node that begins an epoch, ms
--         (optional): a node that starts remembers none
-- reply CONDEMNED (this name is taken: try another), or OK, the epoch, the highest write of the incarnation
--       before or -1, until when leaves wait (ms; 0: no loss), for how many more ms arrivals wait
local leases, meta = KEYS[1], KEYS[2]
local node, before, leaseMs = ARGV[1], ARGV[2], tonumber(ARGV[3])
local remembered, restoreMs, hasLostWrites = tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6] == "1"
local othersMs = tonumber(ARGV[7] or "0")
local time = redis.call("TIME")
local nowMs = time[1] * 1000 + math.floor(time[2] / 1000)

local lease = redis.call("ZSCORE", leases, node)
if lease and tonumber(lease) < 0 then return { "CONDEMNED" } end

-- A full Redis refuses only what a script writes first, and only if that takes memory. Leases must not be refused:
-- who has none delivers nothing, and there would never be room again.
redis.call("ZREM", leases, node)
local epoch = tonumber(redis.call("HGET", meta, "#epoch") or "0")
local isBegun = epoch == 0 or epoch < remembered
if isBegun then
  epoch = math.max(nowMs, remembered + 1)
  redis.call("HSET", meta, "#epoch", string.format("%.0f", epoch))
end
local function isLostFor(ms)
  local untilMs = string.format("%.0f", epoch + ms)
  redis.call("HSET", meta, "#restore_until", untilMs, "#lost_until", untilMs)
end
if remembered > 0 and epoch ~= remembered then
  isLostFor(restoreMs)
elseif isBegun and othersMs > 0 then
  isLostFor(othersMs)
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
  string.format("%.0f", math.max(tonumber(redis.call("HGET", meta, "#lost_until") or "0") - nowMs, 0)),
}
