-- The occupied channels of one app in one partition, with their counts.
--
-- KEYS  1 index        zset of occupied channels, all with score 0
--       2 totals       hash, channel -> subscriptions
--       3 user totals  hash, channel -> users
-- ARGV  1 first and 2 last name, as ZRANGEBYLEX takes them
-- reply names, subscriptions of each, users of each
local index, totals, userTotals = KEYS[1], KEYS[2], KEYS[3]
-- unpack() puts its values on a stack that ends at 8,000.
local AT_ONCE = 4000

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
return { names, subscriptions, users }
