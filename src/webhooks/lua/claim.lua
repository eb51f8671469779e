-- Takes a partition's lease, or keeps it. Safe to send twice.
--
-- KEYS  1 lease   string, the dispatcher that owns the partition
-- ARGV  1 owner   who asks; no other process, nor this one after a restart, has the same name
--       2 ttl     of the lease, ms
-- reply 0 another owns it, 1 kept, 2 newly taken: what the owner remembers of the partition is worthless
local lease, owner, ttlMs = KEYS[1], ARGV[1], ARGV[2]
local holder = redis.call("GET", lease)
if holder == owner then
  redis.call("PEXPIRE", lease, ttlMs)
  return 1
end
if holder then return 0 end
redis.call("SET", lease, owner, "PX", ttlMs)
return 2
