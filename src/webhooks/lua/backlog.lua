-- How much one endpoint has waiting in a partition.
--
-- KEYS  1 lane    stream of events
--       2 dead    stream of the endpoint's dead letters
-- reply events, id of the oldest or "", dead letters
local lane, dead = KEYS[1], KEYS[2]
local oldest = redis.call("XRANGE", lane, "-", "+", "COUNT", 1)[1]
return { redis.call("XLEN", lane), oldest and oldest[2][2] or "", redis.call("XLEN", dead) }
