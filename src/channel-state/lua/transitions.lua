-- When a channel begins and ceases to be occupied, a user to be online, for write.lua, which includes this.
-- A channel is occupied while it has a subscription or a member.
--
-- What waits in `pending`, ordered so that at one time channels come before their members, and leave after them:
--   a\0<app>\0<channel>\0<event type>\0<event>  the coming of a channel or user after a loss   b\0…  of a member
--   m\0<app>\0<channel>\0<user as JSON>  a member's leave      o\0<app>\0<channel>  a channel's leave
--   u\0<app>\0<user channel>             a user's going away   w\0<app>\0<channel>  the end of a count window
local function leaveItem(channel)
  return (channel.isUser and "u\0" or "o\0") .. channel.app .. "\0" .. channel.name
end

local function memberItem(channel, userJson)
  return "m\0" .. channel.app .. "\0" .. channel.name .. "\0" .. userJson
end

local function isEmpty(channel)
  return redis.call("HLEN", channel.counts) == 0 and redis.call("HLEN", channel.users) == 0
end

-- After a loss nothing is left before every node had time to come back: leaves of a member and its channel
-- keep their order, since all of them wait for the same moment at least.
local function putOffLeave(item)
  local restoreUntilMs = tonumber(redis.call("HGET", meta, "#restore_until") or "0")
  putOff(item, math.max(nowMs + graceMs, restoreUntilMs))
end

-- Redis has lost the state while this node was leaving: whether anybody is left shows later.
local function putOffRestoredLeave(item)
  if not redis.call("ZSCORE", pending, item) then putOffLeave(item) end
end

local function arrivalItem(channel, kind, json)
  local letter = kind == "member_added" and "b\0" or "a\0"
  return letter .. channel.app .. "\0" .. channel.name .. "\0" .. kind .. "\0" .. json
end

-- After a loss whoever comes may be there already, on a node that has not told it anew yet: then it is no news.
local function tellArrival(channel, kind, json)
  local lostUntilMs = tonumber(redis.call("HGET", meta, "#lost_until") or "0")
  if nowMs < lostUntilMs then
    putOff(arrivalItem(channel, kind, json), lostUntilMs)
  else
    append(channel.app, channel.name, kind, json)
  end
end

-- It was told before the loss, and is not told again when somebody else has come meanwhile. Not so when it has been
-- left: whether that was told already nobody knows, and who comes is rather told twice than never.
local function forgetArrival(channel, kind, json)
  redis.call("ZREM", pending, arrivalItem(channel, kind, json))
end

local function occupiedEvent(channel)
  return '{"name":"channel_occupied","channel":"' .. channel.name .. '"}'
end

-- Answers when watchers were told, us, or "".
local function occupy(channel, isRestored)
  local isBack = redis.call("ZREM", pending, leaveItem(channel)) == 1
  if isBack or isRestored then return "" end
  if not channel.isUser then
    tellArrival(channel, "channel_occupied", occupiedEvent(channel))
    return ""
  end
  redis.call(publish, channel.topic, "\1\6" .. '{"online":true,"at":' .. digits(nowUs) .. "}")
  return digits(nowUs)
end
