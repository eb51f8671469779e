-- Looks for an event in a part of a lane, or of an endpoint's dead letters. Changes nothing.
--
-- KEYS  1 stream  the lane, or the endpoint's dead letters
-- ARGV  1 event   its id   2 start of the part, as XRANGE takes it   3 most entries to look at
-- reply a list with the entry; or the place of the last entry that was looked at, "" at the end of the stream
local stream, event, start, count = KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3])
local entries = redis.call("XRANGE", stream, start, "+", "COUNT", count)
for _, entry in ipairs(entries) do
  for f = 1, #entry[2], 2 do
    if entry[2][f] == "i" and entry[2][f + 1] == event then return { entry } end
  end
end
return #entries == count and entries[count][1] or ""
