-- How an event enters the stream and how something is put off, for the scripts that include this.
-- Uses   events, pending, wake, publish; isRepeat where a script can be sent twice
local time = redis.call("TIME")
local nowMs = time[1] * 1000 + math.floor(time[2] / 1000)
local nowUs = time[1] * 1000000 + time[2]

local function digits(number)
  return string.format("%.0f", number)
end

-- The dispatcher drains the stream: it has to be told of the first event alone.
local hasEvents = false
local function append(app, channel, kind, json)
  if isRepeat then return end
  if not hasEvents and redis.call("XLEN", events) == 0 then redis.call(publish, wake, "1") end
  hasEvents = true
  -- Never trimmed here: that would drop what nobody has acknowledged.
  redis.call("XADD", events, "*", "a", app, "c", channel, "t", kind, "j", json)
end

-- The dispatcher knows when the first is due: it has to be told of an earlier one.
local function putOff(item, dueMs)
  local first = redis.call("ZRANGE", pending, 0, 0, "WITHSCORES")
  if not first[2] or dueMs < tonumber(first[2]) then redis.call(publish, wake, "1") end
  redis.call("ZADD", pending, digits(dueMs), item)
end

local function countEvent(channel, count)
  return '{"name":"subscription_count","channel":"' .. channel .. '","subscription_count":' .. count .. "}"
end
