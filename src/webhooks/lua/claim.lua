-- Takes a partition's lease, or keeps it. Safe to send twice: whoever has not heard the answer takes what it knows
-- of the lanes for worthless.
--
-- KEYS  1 lease    string, the dispatcher that owns the partition
--       2 touched  set, `<app>:<endpoint>` of the lanes that an operator has changed
--       3 losses   (optional) hash, what was given up and not yet written off: see write-off.lua
-- ARGV  1 owner   who asks; no other process, nor this one after a restart, has the same name
--       2 ttl     of the lease, ms
-- reply 0 another owns it, 1 kept, 2 newly taken: what the owner remembers of the partition is worthless; or, when
--       it was kept, a list of the lanes that were changed since; or, when something was given up, a list of that
--       number, the lanes that were changed, and the hash with its round
local lease, touched, losses, owner, ttlMs = KEYS[1], KEYS[2], KEYS[3], ARGV[1], ARGV[2]

local function answer(claim, names)
  local lost = losses and redis.call("HGETALL", losses) or {}
  if #lost > 0 then
    -- It tells this hash from one that comes after it.
    if redis.call("HEXISTS", losses, "#round") == 0 then
      local round = table.concat(redis.call("TIME"), ".")
      redis.call("HSET", losses, "#round", round)
      lost[#lost + 1], lost[#lost + 2] = "#round", round
    end
    return { claim, names, lost }
  end
  return #names > 0 and names or claim
end

local holder = redis.call("GET", lease)
if holder == owner then
  redis.call("PEXPIRE", lease, ttlMs)
  local names = redis.call("SMEMBERS", touched)
  if #names > 0 then redis.call("DEL", touched) end
  return answer(1, names)
end
if holder then return 0 end
-- In this order: a full Redis refuses only what is written first, and without an owner it stays full.
redis.call("DEL", touched)
redis.call("SET", lease, owner, "PX", ttlMs)
return answer(2, {})
