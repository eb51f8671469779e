-- Turns leaves that are due into events of the stream, members before their channel, and before them whoever
-- came after a loss and has turned out to be new.
--
-- KEYS  1 pending  zset, what is due when: see transitions.lua
--       2 events   stream of this partition's transitions
--       3 wake     topic of the dispatcher
-- ARGV  1 most of them at once  2 PUBLISH or SPUBLISH  3 how many to pass over (optional): those that this
--       sweep could not settle stay at the head, and must not hide the rest
-- reply how many were looked at, ms until the next is due or "", then what is due and has keys of its own,
--       count windows and users who went away, or is of no kind that is known here
local pending, events, wake = KEYS[1], KEYS[2], KEYS[3]
local limit, publish, first = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3] or "0")
local isRepeat = false

-- include outbox.lua

local function split(item)
  local parts = {}
  for part in string.gmatch(item, "[^%z]+") do parts[#parts + 1] = part end
  return unpack(parts)
end

local due = redis.call("ZRANGEBYSCORE", pending, "-inf", digits(nowMs), "LIMIT", first, limit)
local reply = { #due, "" }
for _, item in ipairs(due) do
  local kind, app, channel, detail, json = split(item)
  if (kind == "a" or kind == "b") and json then
    append(app, channel, detail, json)
    redis.call("ZREM", pending, item)
  elseif kind == "m" and detail then
    local event = '{"name":"member_removed","channel":"' .. channel .. '","user_id":' .. detail .. "}"
    append(app, channel, "member_removed", event)
    redis.call("ZREM", pending, item)
  elseif kind == "o" and channel then
    append(app, channel, "channel_vacated", '{"name":"channel_vacated","channel":"' .. channel .. '"}')
    redis.call("ZREM", pending, item)
  else
    reply[#reply + 1] = item
  end
end
local later = redis.call("ZRANGEBYSCORE", pending, "(" .. digits(nowMs), "+inf", "WITHSCORES", "LIMIT", 0, 1)
if later[2] then reply[2] = digits(tonumber(later[2]) - nowMs) end
return reply
