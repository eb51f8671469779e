-- Who is online, for write.lua, which includes this. A user is a channel with connections in place of
-- subscriptions, and `announced` says "1" of those of whom receivers of webhooks believe that they are online.

-- `event` tells receivers of the user's coming: "" when none wants to know.
local function setOnline(channel, count, event, isRestored)
  local reply = setCount(channel, count, false, isRestored)
  if event == "" or isRepeat then return reply end
  -- Who is restored was told before the loss, and so was who left meanwhile and is about to be told offline.
  if count == 0 and not isRestored then return reply end
  local isNews = redis.call("HSETNX", channel.announced, channel.name, "1") == 1
  if isRestored and count > 0 then
    forgetArrival(channel, "user_online", event)
  elseif isNews and not isRestored then
    tellArrival(channel, "user_online", event)
  end
  return reply
end
