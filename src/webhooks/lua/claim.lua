-- Takes a partition's lease, or keeps it. Safe to send twice: whoever has not heard the answer takes what it knows
-- of the lanes for worthless.
--
-- KEYS  1 lease    string, the dispatcher that owns the partition
--       2 touched  set, `<app>:<endpoint>` of the lanes that an operator has changed
-- ARGV  1 owner   who asks; no other process, nor this one after a restart, has the same name
--       2 ttl     of the lease, ms
-- reply 0 another owns it, 1 kept, 2 newly taken: what the owner remembers of the partition is worthless; or, when
--       it was kept, a list of the lanes that were changed since
local lease, touched, owner, ttlMs = KEYS[1], KEYS[2], ARGV[1], ARGV[2]
local holder = redis.call("GET", lease)
if holder == owner then
  redis.call("PEXPIRE", lease, ttlMs)
  local names = redis.call("SMEMBERS", touched)
  if #names == 0 then return 1 end
  redis.call("DEL", touched)
  return names
end
if holder then return 0 end
redis.call("SET", lease, owner, "PX", ttlMs)
redis.call("DEL", touched)
return 2
