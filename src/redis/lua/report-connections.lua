-- Takes how many connections a node has of each app, and answers how many all nodes have together.
-- The numbers are absolute: safe to send twice. A node that does not report again before its lease ends is
-- dropped by whoever reports next; a lease of 0 takes the node out at once. Time is that of Redis.
--
-- KEYS  1 leases  zset, node -> end of its lease in ms
--       2 counts  hash, node -> its connections by app, JSON
--       3 totals  hash, app -> connections of all nodes; kept, so that a report costs the same among many nodes
-- ARGV  1 node    2 lease, ms    3 its connections by app, JSON object
-- reply how long ago the node reported that has not for longest, ms, then app, connections, app, connections …
local leases, counts, totals = KEYS[1], KEYS[2], KEYS[3]
local node, leaseMs, reported = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local time = redis.call("TIME")
local nowMs = time[1] * 1000 + math.floor(time[2] / 1000)

-- Without one of them (evicted, or no connection anywhere) totals would stay wrong: all begin anew.
if redis.call("EXISTS", leases, counts, totals) < 3 then redis.call("DEL", leases, counts, totals) end

local function replace(before, after)
  local change = cjson.decode(after)
  for app, connections in pairs(cjson.decode(before)) do
    change[app] = (change[app] or 0) - connections
  end
  for app, by in pairs(change) do
    if by ~= 0 and redis.call("HINCRBY", totals, app, by) <= 0 then redis.call("HDEL", totals, app) end
  end
end

local before = redis.call("HGET", counts, node) or "{}"
if before ~= reported then replace(before, reported) end
redis.call("HSET", counts, node, reported)
redis.call("ZADD", leases, string.format("%.0f", nowMs + leaseMs), node)

for _, ended in ipairs(redis.call("ZRANGEBYSCORE", leases, "-inf", string.format("%.0f", nowMs))) do
  replace(redis.call("HGET", counts, ended) or "{}", "{}")
  redis.call("HDEL", counts, ended)
  redis.call("ZREM", leases, ended)
end

if leaseMs > 0 then
  for _, key in ipairs(KEYS) do redis.call("PEXPIRE", key, leaseMs) end -- nothing stays when nobody reports
end
-- All nodes of a deployment have the same lease.
local oldest = redis.call("ZRANGE", leases, 0, 0, "WITHSCORES")
local oldestMs = oldest[2] and nowMs + leaseMs - tonumber(oldest[2]) or 0
local reply = redis.call("HGETALL", totals)
table.insert(reply, 1, string.format("%.0f", math.max(oldestMs, 0)))
return reply
