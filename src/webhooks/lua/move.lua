-- Moves events of a lane to the end of another endpoint's lane, or dead letters behind another endpoint's. One that
-- is not there any more was moved before, so that sending it twice changes nothing. One that came into both lanes in
-- the same step, as events do that are routed to both, and waits in the target too, only leaves the source. Whoever
-- dispatches the lanes need not ask.
--
-- KEYS  1 source   the lane, or the endpoint's dead letters
--       2 target   the same of the other endpoint
--       3 names    set, `<app>:<endpoint>` of what has such a stream
--       4 tries    hash, `<app>:<endpoint>` -> failures of the lane since it last settled
--       5 touched  set, `<app>:<endpoint>` of the lanes that their dispatcher must read again
-- ARGV  1 `<app>:<endpoint>` of the source  2 that of the target  3 `waiting` for lanes, `dead` for dead letters
--       4 most events of the target  5… for each event its place and its id
-- reply how many were moved, 1 if the target is full, else 0
local source, target, names, tries, touched = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local from, to, isLane, maxEvents = ARGV[1], ARGV[2], ARGV[3] == "waiting", tonumber(ARGV[4])
-- In a dead letter the event comes behind three pairs that say how it died.
local idAt = isLane and 2 or 8
-- Of the target's events of one millisecond, so many are looked through.
local MAX_COMPARED = 500

local waiting = {}
local function waitingAt(time)
  local ms = string.format("%.0f", time)
  if not waiting[ms] then
    waiting[ms] = {}
    for _, entry in ipairs(redis.call("XRANGE", target, ms, ms, "COUNT", MAX_COMPARED)) do
      waiting[ms][entry[2][2]] = true
    end
  end
  return waiting[ms]
end

-- One step gives an event's entries in all lanes places of one millisecond, or of two, since until Redis 7.2 the clock
-- goes on while a script runs. A copy at another place is merely delivered twice.
local function isWaiting(place, id)
  if not isLane then return false end
  local ms = tonumber(string.match(place, "^%d+"))
  return waitingAt(ms)[id] or waitingAt(ms + 1)[id] or waitingAt(ms - 1)[id]
end

local length, moved, isFull = redis.call("XLEN", target), 0, 0
for i = 5, #ARGV, 2 do
  local entry = redis.call("XRANGE", source, ARGV[i], ARGV[i])[1]
  if entry and entry[2][idAt] == ARGV[i + 1] then
    if not isWaiting(ARGV[i], ARGV[i + 1]) then
      if length >= maxEvents then
        isFull = 1
        break
      end
      redis.call("XADD", target, "*", unpack(entry[2]))
      length = length + 1
    end
    redis.call("XDEL", source, ARGV[i])
    moved = moved + 1
  end
end
if moved > 0 then
  redis.call("SADD", names, to)
  if isLane then redis.call("SADD", touched, from, to) end
end
if redis.call("XLEN", source) == 0 then
  redis.call("DEL", source)
  redis.call("SREM", names, from)
  if isLane then redis.call("HDEL", tries, from) end
end
return { moved, isFull }
