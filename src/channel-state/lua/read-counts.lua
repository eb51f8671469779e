-- How many subscriptions and users a channel has.
--
-- KEYS  1 meta         hash, #epoch, #restore_until
--       2 totals       hash, channel -> subscriptions
--       3 user totals  hash, channel -> users
-- ARGV  1 channel
-- reply epoch, for how many more ms what comes back after a loss may be missing, subscriptions, users
local meta, totals, userTotals, channel = KEYS[1], KEYS[2], KEYS[3], ARGV[1]

-- include restoring.lua

local epoch, restoreMs = epochAndRestoreMs()
local subscriptions = redis.call("HGET", totals, channel) or "0"
return { epoch, restoreMs, subscriptions, redis.call("HGET", userTotals, channel) or "0" }
