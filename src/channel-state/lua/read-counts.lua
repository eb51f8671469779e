-- How many subscriptions and users a channel has.
--
-- KEYS  1 totals       hash, channel -> subscriptions
--       2 user totals  hash, channel -> users
-- ARGV  1 channel
-- reply both
local totals, userTotals, channel = KEYS[1], KEYS[2], ARGV[1]
return { redis.call("HGET", totals, channel) or "0", redis.call("HGET", userTotals, channel) or "0" }
