-- Notes that an attempt which carried the lane's head has failed, and answers which events are given up for it:
-- those older than the budget, once the lane has failed for all of it. An event that was replayed counts from then.
-- Sent twice it counts an attempt too many.
--
-- KEYS  1 lease   string, the dispatcher that owns the partition
--       2 lane    stream of events
--       3 tries   hash, `<app>:<endpoint>` -> `<first failure, ms>:<attempts>:<last status>`
-- ARGV  1 owner   2 `<app>:<endpoint>`  3 status  4 budget, ms  5 most events to look at
-- reply -1 another owns the partition, else ids of events from the lane's head
local lease, lane, tries = KEYS[1], KEYS[2], KEYS[3]
local owner, name, status, budgetMs, count = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5]
if redis.call("GET", lease) ~= owner then return -1 end
if redis.call("EXISTS", lane) == 0 then return {} end

local time = redis.call("TIME")
local nowMs = time[1] * 1000 + math.floor(time[2] / 1000)
local before = redis.call("HGET", tries, name) or ""
local first, attempts = string.match(before, "^(%d+):(%d+):")
local firstMs = tonumber(first or nowMs)
local noted = string.format("%.0f:%.0f:%s", firstMs, (attempts or 0) + 1, status)
redis.call("HSET", tries, name, noted)
if nowMs - firstMs < budgetMs then return {} end

local due = {}
for _, entry in ipairs(redis.call("XRANGE", lane, "-", "+", "COUNT", count)) do
  local id = entry[2][2]
  local fromMs = tonumber(string.match(id, "^%d+%-%d+%-(%d+)%-"))
  -- Behind id, channel, type and json.
  for f = 9, #entry[2], 2 do
    if entry[2][f] == "p" then fromMs = tonumber(entry[2][f + 1]) end
  end
  if nowMs - fromMs >= budgetMs then due[#due + 1] = id end
end
return due
