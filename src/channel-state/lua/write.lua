-- Writes what one node holds in channels of one partition, step by step in the order in which it happened
-- there, and decides each transition: its event enters the stream here, in the same script.
--
-- Steps are absolute ("this node has n subscriptions", "this node has this user"), never deltas. A node has
-- one write of a partition under way and numbers them without gaps, so the script knows a repeated write,
-- which changes nothing, a stale copy of an older one, and that writes before this one are lost.
--
-- KEYS  1 leases   zset, node -> end of its lease in ms, -1: condemned
--       2 meta     hash, node -> its highest write; #restore_until, #lost_until
--       3 ledger   set, channels in which this node holds anything: <app>\0<channel>
--       4 pending  zset, what is due when: see transitions.lua
--       5 events   stream of this partition's transitions
--       6 wake     topic of the dispatcher
--       then per app      index (zset of occupied channels), totals (channel -> subscriptions),
--                         user totals (channel -> users), announced (channel -> count last told, user channel -> "1")
--       then per channel  counts (hash, node -> subscriptions), own (set, users of this node), users (hash,
--                         user -> nodes that have it), roster (hash, user -> <version>:<info>, "" -> version),
--                         topic (of a user channel: where its watchers are told)
-- ARGV  1 node  2 number of this write, 0: reaping a condemned node  3 grace, ms  4 count window, ms
--       5 PUBLISH or SPUBLISH  6 number of apps  7 number of channels, then the app ids,
--       then per channel its app (1: the first) and name, then per step: letter, channel, and
--       n: count, is it announced, is it restored           j: user, as JSON, info, most members, restored
--       l: user, as JSON, restored                          r: event type, event
--       u: 1 or 0 connections, event of coming or "", restored (of a user channel)
-- reply OK and per step: n, u: when a user came online, us, or ""; j: version of the roster, or "" when full;
--       l, r: "". Or UNREGISTERED; ALIVE (not to be reaped); STALE; LOST.
local leases, meta, ledger, pending, events, wake = unpack(KEYS, 1, 6)
local node, seq = ARGV[1], tonumber(ARGV[2])
local graceMs, windowMs, publish = tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]
local apps, channelCount = tonumber(ARGV[6]), tonumber(ARGV[7])

local lease = tonumber(redis.call("ZSCORE", leases, node) or "-2")
local isReaping, isRepeat = seq == 0, false
if isReaping then
  if lease ~= -1 then return { "ALIVE" } end
else
  if lease < 0 then return { "UNREGISTERED" } end
  local highest = tonumber(redis.call("HGET", meta, node) or "0")
  if seq < highest then return { "STALE" } end
  if seq > highest + 1 then return { "LOST" } end
  isRepeat = seq == highest
  if not isRepeat then redis.call("HSET", meta, node, ARGV[2]) end
end

local at = 7 + apps
local function take()
  at = at + 1
  return ARGV[at]
end

local channels = {}
for i = 1, channelCount do
  local app, name = tonumber(take()), take()
  local index, totals, userTotals, announced = unpack(KEYS, 3 + app * 4, 6 + app * 4)
  local first = 2 + apps * 4 + i * 5
  local counts, own, users, roster, topic = unpack(KEYS, first, first + 4)
  channels[i] = {
    app = ARGV[7 + app], name = name, isUser = string.sub(name, 1, 1) == "#",
    index = index, totals = totals, userTotals = userTotals, announced = announced,
    counts = counts, own = own, users = users, roster = roster, topic = topic,
  }
end

-- include outbox.lua
-- include transitions.lua
-- include subscriptions.lua
-- include members.lua
-- include users.lua

local replies = { "OK" }
while at < #ARGV do
  local letter, channel = take(), channels[tonumber(take())]
  local reply = ""
  if letter == "n" then
    reply = setCount(channel, tonumber(take()), take() == "1", take() == "1")
  elseif letter == "u" then
    reply = setOnline(channel, tonumber(take()), take(), take() == "1")
  elseif letter == "j" then
    reply = join(channel, take(), take(), take(), tonumber(take()), take() == "1")
  elseif letter == "l" then
    leave(channel, take(), take(), take() == "1")
  else
    append(channel.app, channel.name, take(), take())
  end
  replies[#replies + 1] = reply
end
return replies
