-- Notes that an endpoint is paused. A pause of an operator is not replaced by one that a receiver caused. Safe to
-- send twice.
--
-- KEYS  1 paused  hash, `<app>:<endpoint>` -> `<since, ms>:<reason>:<hash of the url, or nothing>`
-- ARGV  1 `<app>:<endpoint>`  2 the pause, as above
-- reply 1 noted, 0 an operator has paused it before
local paused, name, pause = KEYS[1], ARGV[1], ARGV[2]
local before = redis.call("HGET", paused, name)
local isOperators = string.match(pause, "^%d+:operator:")
if before and string.match(before, "^%d+:operator:") and not isOperators then return 0 end
redis.call("HSET", paused, name, pause)
return 1
