-- Moves dead letters of an endpoint to the end of their lane, whose budget begins anew. A letter that is not there
-- any more was moved before, so that sending it twice changes nothing. Of letters of one event only the first is put
-- into the lane. Whoever dispatches the lane need not ask.
--
-- KEYS  1 dead     stream of the endpoint's dead letters
--       2 deads    set, `<app>:<endpoint>` of the endpoints with dead letters
--       3 lane     stream of events
--       4 lanes    set, `<app>:<endpoint>` of the lanes with events
--       5 tries    hash, `<app>:<endpoint>` -> failures of the lane since it last settled
--       6 touched  set, `<app>:<endpoint>` of the lanes that their dispatcher must read again
-- ARGV  1 `<app>:<endpoint>`  2 most events of the lane  3… for each letter its place and its event's id
-- reply how many were put into the lane, 1 if it is full, else 0
local dead, deads, lane, lanes, tries, touched = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local name, maxEvents = ARGV[1], tonumber(ARGV[2])

local time = redis.call("TIME")
local nowMs = string.format("%.0f", time[1] * 1000 + math.floor(time[2] / 1000))
local length, moved, isFull, isPut = redis.call("XLEN", lane), 0, 0, {}
for i = 3, #ARGV, 2 do
  local entry = redis.call("XRANGE", dead, ARGV[i], ARGV[i])[1]
  -- Three pairs say how it died, the rest is the event as it lay in its lane: its id comes first.
  if entry and entry[2][8] == ARGV[i + 1] and isPut[ARGV[i + 1]] then
    redis.call("XDEL", dead, ARGV[i])
  elseif entry and entry[2][8] == ARGV[i + 1] then
    if length >= maxEvents then
      isFull = 1
      break
    end
    local event = {}
    for f = 7, #entry[2], 2 do
      if entry[2][f] ~= "p" then
        event[#event + 1] = entry[2][f]
        event[#event + 1] = entry[2][f + 1]
      end
    end
    event[#event + 1] = "p"
    event[#event + 1] = nowMs
    redis.call("XADD", lane, "*", unpack(event))
    redis.call("XDEL", dead, ARGV[i])
    length, moved, isPut[ARGV[i + 1]] = length + 1, moved + 1, true
  end
end
if moved > 0 then
  redis.call("SADD", lanes, name)
  redis.call("SADD", touched, name)
  redis.call("HDEL", tries, name)
end
if redis.call("XLEN", dead) == 0 then
  redis.call("DEL", dead)
  redis.call("SREM", deads, name)
end
return { moved, isFull }
