-- Who is in a presence channel, for write.lua, which includes this. Each change of the roster raises its
-- version and is told with the version before it, so that a listener notices what it has missed. Versions
-- are us of Redis TIME or more: they never go back, also when a channel is born again or a failover has set
-- the state back.
local function versionOf(channel)
  return redis.call("HGET", channel.roster, "") or "0"
end

-- Answers the version that the roster has from now on.
local function tellChange(channel, userJson, info)
  local before = versionOf(channel)
  -- TIME stands still in a script: when the list ends and begins anew in one, it must not have one version twice.
  channel.version = math.max(tonumber(before), channel.version or 0, nowUs - 1) + 1
  local version = digits(channel.version)
  local change = '{"previous":' .. before .. ',"version":' .. version .. ',"user_id":' .. userJson
  if info then change = change .. ',"user_info":' .. cjson.encode(info) end
  redis.call(publish, channel.topic, "\1\4" .. change .. "}")
  return version
end

local function event(kind, channel, userJson)
  return '{"name":"' .. kind .. '","channel":"' .. channel.name .. '","user_id":' .. userJson .. "}"
end

local function join(channel, user, userJson, info, maxMembers, isRestored)
  if redis.call("SISMEMBER", channel.own, user) == 1 then return versionOf(channel) end
  if isRepeat then return "" end
  local arrival = event("member_added", channel, userJson)
  if isRestored then forgetArrival(channel, "member_added", arrival) end
  local isNew = redis.call("HEXISTS", channel.users, user) == 0
  if isNew then
    local members = redis.call("HLEN", channel.users)
    if maxMembers > 0 and members >= maxMembers then return "" end
    if isEmpty(channel) then occupy(channel, isRestored) end
    local isBack = redis.call("ZREM", pending, memberItem(channel, userJson)) == 1
    if not isBack and not isRestored then
      tellArrival(channel, "member_added", arrival)
    end
    local version = tellChange(channel, userJson, info)
    redis.call("HSET", channel.roster, "", version, user, version .. ":" .. info)
    redis.call("HSET", channel.userTotals, channel.name, members + 1)
  end
  redis.call("HINCRBY", channel.users, user, 1)
  redis.call("SADD", channel.own, user)
  redis.call("SADD", ledger, channel.app .. "\0" .. channel.name)
  return versionOf(channel)
end

local function leave(channel, user, userJson, isRestored)
  if isRepeat then return end
  if redis.call("SREM", channel.own, user) == 0 then
    if isRestored and redis.call("HEXISTS", channel.users, user) == 0 then
      putOffRestoredLeave(memberItem(channel, userJson))
    end
    return
  end
  if redis.call("EXISTS", channel.own) == 0 and redis.call("HEXISTS", channel.counts, node) == 0 then
    redis.call("SREM", ledger, channel.app .. "\0" .. channel.name)
  end
  if redis.call("HINCRBY", channel.users, user, -1) > 0 then return end
  redis.call("HDEL", channel.users, user)
  putOffLeave(memberItem(channel, userJson))
  local version = tellChange(channel, userJson)
  local members = redis.call("HLEN", channel.users)
  if members > 0 then
    redis.call("HDEL", channel.roster, user)
    redis.call("HSET", channel.roster, "", version)
    redis.call("HSET", channel.userTotals, channel.name, members)
    return
  end
  redis.call("DEL", channel.roster)
  redis.call("HDEL", channel.userTotals, channel.name)
  if isEmpty(channel) then putOffLeave(leaveItem(channel)) end
end
