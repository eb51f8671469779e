-- Takes events that were delivered out of the head of their lane, whose budget begins anew. What is not there
-- was taken out before, so that sending it twice changes nothing.
--
-- KEYS  1 lease   string, the dispatcher that owns the partition
--       2 lane    stream of events
--       3 lanes   set, `<app>:<endpoint>` of the lanes with events
--       4 tries   hash, `<app>:<endpoint>` -> failures of the lane since it last settled
-- ARGV  1 owner   2 `<app>:<endpoint>`  3… ids of events
-- reply -1 another owns the partition, else how many were taken out
local lease, lane, lanes, tries = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local owner, name = ARGV[1], ARGV[2]
if redis.call("GET", lease) ~= owner then return -1 end

local delivered, settled = {}, {}
for i = 3, #ARGV do delivered[ARGV[i]] = true end
local oldest = redis.call("XRANGE", lane, "-", "+", "COUNT", #ARGV - 2)
for _, entry in ipairs(oldest) do
  -- Ids, not places: a place may be given anew to another event once the lane has been empty.
  if delivered[entry[2][2]] then settled[#settled + 1] = entry[1] end
end
redis.call("HDEL", tries, name)
local left = redis.call("XLEN", lane) - #settled
if left == 0 then
  redis.call("DEL", lane)
  redis.call("SREM", lanes, name)
elseif #settled == #oldest then
  -- The whole head: a tenth of the time that XDEL takes.
  redis.call("XTRIM", lane, "MAXLEN", left)
elseif #settled > 0 then
  redis.call("XDEL", lane, unpack(settled))
end
return #settled
