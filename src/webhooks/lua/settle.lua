-- Takes events that were delivered out of the head of their lane, whose budget begins anew. What is not there
-- was taken out before, so that sending it twice changes nothing.
--
-- KEYS  1 lease   string, the dispatcher that owns the partition
--       2 lane    stream of events
--       3 lanes   set, `<app>:<endpoint>` of the lanes with events
--       4 tries   hash, `<app>:<endpoint>` -> failures of the lane since it last settled
-- ARGV  1 owner   2 `<app>:<endpoint>`  3 ids of events, with commas between  4 how many they are (optional: without
--       it each id is an argument of its own, from 3 on)
-- reply -1 another owns the partition, else how many were taken out
local lease, lane, lanes, tries = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local owner, name, given, count = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
if redis.call("GET", lease) ~= owner then return -1 end
if not count then
  given, count = table.concat(ARGV, ",", 3), #ARGV - 2
end

local ids, places = {}, {}
for i, entry in ipairs(redis.call("XRANGE", lane, "-", "+", "COUNT", count)) do
  -- Ids, not places: a place may be given anew to another event once the lane has been empty.
  ids[i], places[i] = entry[2][2], entry[1]
end
-- Nearly always they are the head as it stands, which is one comparison.
local isHead, settled = table.concat(ids, ",") == given, {}
if not isHead then
  local delivered = {}
  for id in string.gmatch(given, "[^,]+") do delivered[id] = true end
  for i, id in ipairs(ids) do
    if delivered[id] then settled[#settled + 1] = places[i] end
  end
end
local taken = isHead and #ids or #settled
local left = redis.call("XLEN", lane) - taken
redis.call("HDEL", tries, name)
if left == 0 then
  redis.call("DEL", lane)
  redis.call("SREM", lanes, name)
elseif taken == #ids then
  -- The whole head: a tenth of the time that XDEL takes.
  redis.call("XTRIM", lane, "MAXLEN", left)
elseif taken > 0 then
  redis.call("XDEL", lane, unpack(settled))
end
return taken
