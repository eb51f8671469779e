-- Forgets a condemned node that holds nothing any more.
--
-- KEYS  1 leases  zset, node -> end of its lease in ms, -1: condemned
--       2 meta    hash, node -> its highest write
--       3 ledger  set, channels in which the node holds anything
-- ARGV  1 node
-- reply 1 buried, 0 not: alive, gone already, or still holding something
local leases, meta, ledger, node = KEYS[1], KEYS[2], KEYS[3], ARGV[1]

local lease = redis.call("ZSCORE", leases, node)
if not lease or tonumber(lease) >= 0 or redis.call("SCARD", ledger) > 0 then return 0 end
redis.call("ZREM", leases, node)
redis.call("HDEL", meta, node)
return 1
