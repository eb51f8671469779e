-- How many subscriptions a node holds, and when the total is told, for write.lua, which includes this.
local MANY = 100

local function putOffCount(channel, item)
  if not redis.call("ZSCORE", pending, item) then putOff(item, nowMs + windowMs) end
end

-- Up to 100 every change is told, beyond that the latest count at the end of a window (protocol.md, 5).
local function tellCount(channel, total, isWanted, isRestored)
  if not isWanted then
    if total == 0 then redis.call("HDEL", channel.announced, channel.name) end
    return
  end
  local announced = tonumber(redis.call("HGET", channel.announced, channel.name) or "0")
  local item = "w\0" .. channel.app .. "\0" .. channel.name
  if total > 0 and (total > MANY or isRestored) then
    -- A window that is open stays open, also when the count is back at the announced one.
    if total ~= announced then putOffCount(channel, item) end
    return
  end
  redis.call("ZREM", pending, item)
  if total ~= announced then
    redis.call(publish, channel.topic, "\1\5" .. '{"count":' .. digits(total) .. "}")
    append(channel.app, channel.name, "subscription_count", countEvent(channel.name, digits(total)))
    redis.call("HSET", channel.announced, channel.name, digits(total))
  end
  if total == 0 then redis.call("HDEL", channel.announced, channel.name) end
end

local function setCount(channel, count, isWanted, isRestored)
  if isRepeat then return "" end
  if isRestored and count > 0 and not channel.isUser then
    forgetArrival(channel, "channel_occupied", occupiedEvent(channel))
  end
  local before = tonumber(redis.call("HGET", channel.counts, node) or "0")
  local entry = channel.app .. "\0" .. channel.name
  local reply = ""
  if count > 0 then
    if before == 0 then
      if isEmpty(channel) then reply = occupy(channel, isRestored) end
      redis.call("SADD", ledger, entry)
    end
    redis.call("HSET", channel.counts, node, digits(count))
  else
    redis.call("HDEL", channel.counts, node)
    -- A state that a failover has set back can hold users that the node does not know of.
    if redis.call("EXISTS", channel.own) == 0 then redis.call("SREM", ledger, entry) end
  end
  if not channel.isUser then
    local total = tonumber(redis.call("HINCRBY", channel.totals, channel.name, count - before))
    if redis.call("HLEN", channel.counts) == 0 then
      redis.call("ZREM", channel.index, channel.name)
      redis.call("HDEL", channel.totals, channel.name)
    elseif count > 0 and before == 0 then
      redis.call("ZADD", channel.index, 0, channel.name)
    end
    if isReaping then isWanted = redis.call("HEXISTS", channel.announced, channel.name) == 1 end
    tellCount(channel, total, isWanted, isRestored)
  end
  if count == 0 and isEmpty(channel) then
    if before > 0 then putOffLeave(leaveItem(channel)) end
    if before == 0 and isRestored then putOffRestoredLeave(leaveItem(channel)) end
  end
  return reply
end
