-- The members of a presence channel, and the version of that list.
--
-- KEYS  1 meta    hash, #epoch, #restore_until
--       2 roster  hash, user -> <version>:<info>, "" -> version
-- reply epoch, for how many more ms members may be missing who come back after a loss, version ("0": nobody
--       is there), then user and <version>:<info> of each
local meta, roster = KEYS[1], KEYS[2]

-- include restoring.lua

local reply = { epochAndRestoreMs() }
reply[3] = "0"
local fields = redis.call("HGETALL", roster)
for i = 1, #fields, 2 do
  if fields[i] == "" then
    reply[3] = fields[i + 1]
  else
    reply[#reply + 1] = fields[i]
    reply[#reply + 1] = fields[i + 1]
  end
end
return reply
