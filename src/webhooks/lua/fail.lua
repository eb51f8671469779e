-- Notes that an attempt which carried the lane's head has failed. Sent twice it counts an attempt too many.
--
-- KEYS  1 lease   string, the dispatcher that owns the partition
--       2 lane    stream of events
--       3 tries   hash, `<app>:<endpoint>` -> `<first failure, ms>:<attempts>:<last status>`
-- ARGV  1 owner   2 `<app>:<endpoint>`  3 status
-- reply -1 another owns the partition, else since how many ms the lane fails; 0 for a lane without events
local lease, lane, tries = KEYS[1], KEYS[2], KEYS[3]
local owner, name, status = ARGV[1], ARGV[2], ARGV[3]
if redis.call("GET", lease) ~= owner then return -1 end
if redis.call("EXISTS", lane) == 0 then return 0 end

local time = redis.call("TIME")
local nowMs = time[1] * 1000 + math.floor(time[2] / 1000)
local before = redis.call("HGET", tries, name) or ""
local first, attempts = string.match(before, "^(%d+):(%d+):")
local firstMs = tonumber(first or nowMs)
local noted = string.format("%.0f:%.0f:%s", firstMs, (attempts or 0) + 1, status)
redis.call("HSET", tries, name, noted)
return nowMs - firstMs
