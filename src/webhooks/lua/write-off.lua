-- Takes out of what was given up in a partition what its owner has booked. Each round is written off once, so that
-- sending it twice changes nothing.
--
-- KEYS  1 lease    string, the dispatcher that owns the partition
--       2 losses   hash, events by `buried:<reason>:<app>:<endpoint>`, the same of `dropped`, and
--                  `held:<reason>:<app>`; #round: another one after each write-off
-- ARGV  1 owner    2 the round that was booked  3 the next round  4… for each field that was booked, it and how many
-- reply -1 another owns the partition, 0 it is another round, 1 done
local lease, losses, owner, round, nextRound = KEYS[1], KEYS[2], ARGV[1], ARGV[2], ARGV[3]
if redis.call("GET", lease) ~= owner then return -1 end
if redis.call("HGET", losses, "#round") ~= round then return 0 end

for i = 4, #ARGV, 2 do
  local field, booked = ARGV[i], tonumber(ARGV[i + 1])
  local left = tonumber(redis.call("HGET", losses, field) or "0") - booked
  redis.call("HDEL", losses, field)
  if left > 0 then redis.call("HSET", losses, field, left) end
end
if redis.call("HLEN", losses) == 1 then
  redis.call("DEL", losses)
else
  redis.call("HSET", losses, "#round", nextRound)
end
return 1
