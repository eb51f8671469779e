-- Drops an endpoint's dead letters that are too old. Safe to send twice.
--
-- KEYS  1 lease   string, the dispatcher that owns the partition
--       2 dead    stream of the endpoint's dead letters
--       3 deads   set, `<app>:<endpoint>` of the endpoints with dead letters
--       4 losses  (optional) hash, what was given up: see write-off.lua
-- ARGV  1 owner   2 `<app>:<endpoint>`  3 age, ms  4 most dead letters to look at
-- reply -1 another owns the partition, else how many were dropped
local lease, dead, deads, losses = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local owner, name, ageMs, count = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
if redis.call("GET", lease) ~= owner then return -1 end

local time = redis.call("TIME")
local nowMs = time[1] * 1000 + math.floor(time[2] / 1000)
local dropped = 0
for _, entry in ipairs(redis.call("XRANGE", dead, "-", "+", "COUNT", count)) do
  -- The sixth field is `d`: when it died.
  if nowMs - tonumber(entry[2][6]) < ageMs then break end
  redis.call("XDEL", dead, entry[1])
  dropped = dropped + 1
end
-- After the first change: a full Redis would refuse it before.
if losses and dropped > 0 then redis.call("HINCRBY", losses, "dropped:age:" .. name, dropped) end
if redis.call("XLEN", dead) == 0 then
  redis.call("DEL", dead)
  redis.call("SREM", deads, name)
end
return dropped
