-- Gives a partition's lease back and wakes the next owner. Safe to send twice.
--
-- KEYS  1 lease   string, the dispatcher that owns the partition
--       2 wake    topic of the partition's dispatcher
-- ARGV  1 owner   who gives it back
--       2 publish PUBLISH or SPUBLISH
-- reply 1 given back, 0 it was not the owner's
local lease, wake, owner, publish = KEYS[1], KEYS[2], ARGV[1], ARGV[2]
if redis.call("GET", lease) ~= owner then return 0 end
redis.call("DEL", lease)
redis.call(publish, wake, "1")
return 1
