-- Drops events of a lane, or dead letters. One that is not there any more was dropped before, so that sending it
-- twice changes nothing. Whoever dispatches the lane need not ask.
--
-- KEYS  1 stream   the lane, or the endpoint's dead letters
--       2 names    set, `<app>:<endpoint>` of what has such a stream
--       3 tries    hash, `<app>:<endpoint>` -> failures of the lane since it last settled
--       4 touched  set, `<app>:<endpoint>` of the lanes that their dispatcher must read again
--       5 losses   (optional) hash, what was given up: see write-off.lua
-- ARGV  1 `<app>:<endpoint>`  2 `waiting` for a lane, `dead` for dead letters
--       3… for each event its place and its id
-- reply how many were dropped
local stream, names, tries, touched, losses = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local name, isLane = ARGV[1], ARGV[2] == "waiting"
-- In a dead letter the event comes behind three pairs that say how it died.
local idAt = isLane and 2 or 8

local dropped = 0
for i = 3, #ARGV, 2 do
  local entry = redis.call("XRANGE", stream, ARGV[i], ARGV[i])[1]
  if entry and entry[2][idAt] == ARGV[i + 1] then
    redis.call("XDEL", stream, ARGV[i])
    dropped = dropped + 1
  end
end
-- After the first change: a full Redis would refuse it before.
if losses and dropped > 0 then redis.call("HINCRBY", losses, "dropped:operator:" .. name, dropped) end
if isLane and dropped > 0 then redis.call("SADD", touched, name) end
if redis.call("XLEN", stream) == 0 then
  redis.call("DEL", stream)
  redis.call("SREM", names, name)
  if isLane then redis.call("HDEL", tries, name) end
end
return dropped
