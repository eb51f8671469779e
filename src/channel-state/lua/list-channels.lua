-- The occupied channels of one app in one partition, with their counts.
--
-- KEYS  1 meta         hash, #epoch, #restore_until
--       2 index        zset of occupied channels, all with score 0
--       3 totals       hash, channel -> subscriptions
--       4 user totals  hash, channel -> users
-- ARGV  1 first and 2 last name, as ZRANGEBYLEX takes them
-- reply epoch, for how many more ms what comes back after a loss may be missing, names, subscriptions of each,
--       users of each
local meta, index, totals, userTotals = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
-- unpack() puts its values on a stack that ends at 8,000.
local AT_ONCE = 4000

-- include restoring.lua

local names = redis.call("ZRANGEBYLEX", index, ARGV[1], ARGV[2])
local subscriptions, users = {}, {}
for first = 1, #names, AT_ONCE do
  local some = { unpack(names, first, math.min(#names, first + AT_ONCE - 1)) }
  for _, count in ipairs(redis.call("HMGET", totals, unpack(some))) do
    subscriptions[#subscriptions + 1] = count or "0"
  end
  for _, count in ipairs(redis.call("HMGET", userTotals, unpack(some))) do
    users[#users + 1] = count or "0"
  end
end
local epoch, restoreMs = epochAndRestoreMs()
return { epoch, restoreMs, names, subscriptions, users }
