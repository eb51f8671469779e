-- The members of a presence channel, and the version of that list.
--
-- KEYS  1 roster  hash, user -> <version>:<info>, "" -> version
-- reply version ("0": nobody is there), then user and <version>:<info> of each
local fields = redis.call("HGETALL", KEYS[1])
local reply = { "0" }
for i = 1, #fields, 2 do
  if fields[i] == "" then
    reply[1] = fields[i + 1]
  else
    reply[#reply + 1] = fields[i]
    reply[#reply + 1] = fields[i + 1]
  end
end
return reply
