-- Ends the pause of an endpoint, if it is the one that is meant. Safe to send twice.
--
-- KEYS  1 paused  hash, `<app>:<endpoint>` -> `<since, ms>:<reason>:<hash of the url, or nothing>`
-- ARGV  1 `<app>:<endpoint>`  2 the pause, as above; "" for any
-- reply 1 ended, 0 there is none, or another
local paused, name, expected = KEYS[1], ARGV[1], ARGV[2]
if expected ~= "" and redis.call("HGET", paused, name) ~= expected then return 0 end
return redis.call("HDEL", paused, name)
