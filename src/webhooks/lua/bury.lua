-- Moves events from the head of a lane to the dead letters of its endpoint. What is not there was moved before,
-- so that sending it twice changes nothing.
--
-- KEYS  1 lease   string, the dispatcher that owns the partition
--       2 lane    stream of events
--       3 lanes   set, `<app>:<endpoint>` of the lanes with events
--       4 tries   hash, `<app>:<endpoint>` -> failures of the lane since it last settled
--       5 dead    stream of the endpoint's dead letters
--       6 deads   set, `<app>:<endpoint>` of the endpoints with dead letters
--       7 losses  (optional) hash, what was given up: see write-off.lua
-- ARGV  1 owner   2 `<app>:<endpoint>`  3 reason  4 status  5 most dead letters  6 most events to look at
--       7… ids of events
-- reply -1 another owns the partition, else how many older dead letters gave way, then the ids that were moved
local lease, lane, lanes, tries, dead, deads, losses = unpack(KEYS, 1, 7)
local owner, name, reason, status, maxDead, count = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
if redis.call("GET", lease) ~= owner then return -1 end

local time = redis.call("TIME")
local diedMs = string.format("%.0f", time[1] * 1000 + math.floor(time[2] / 1000))
local function note(what, events)
  if losses and events > 0 then redis.call("HINCRBY", losses, what .. ":" .. reason .. ":" .. name, events) end
end
local isGivenUp = {}
for i = 7, #ARGV do isGivenUp[ARGV[i]] = true end

local reply = { 0 }
for _, entry in ipairs(redis.call("XRANGE", lane, "-", "+", "COUNT", count)) do
  local id = entry[2][2]
  if isGivenUp[id] then
    redis.call("XADD", dead, "*", "r", reason, "s", status, "d", diedMs, unpack(entry[2]))
    redis.call("XDEL", lane, entry[1])
    reply[#reply + 1] = id
  end
end
if #reply > 1 then
  redis.call("SADD", deads, name)
  reply[1] = redis.call("XTRIM", dead, "MAXLEN", maxDead)
  note("buried", #reply - 1)
  note("dropped", reply[1])
end
if redis.call("XLEN", lane) == 0 then
  redis.call("DEL", lane)
  redis.call("SREM", lanes, name)
  redis.call("HDEL", tries, name)
end
return reply
