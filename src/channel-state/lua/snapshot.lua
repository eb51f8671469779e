-- What webhooks have told of an app's channels in one partition, with the last event decided there: both of
-- one moment. What waits out its grace is still there, since nobody has been told otherwise.
--
-- Which channels have members shows only here, so the keys of their users are made here from their beginning:
-- they are of the same partition, hence of the same hash slot.
--
-- KEYS  1 meta         hash, #epoch, #restore_until
--       2 pending      zset, what is due when: see transitions.lua
--       3 events       stream of this partition's transitions
--       4 index        zset of channels with subscriptions, all with score 0
--       5 user totals  hash, channel -> users
--       6 announced    hash, user channel -> 1 while receivers believe that the user is online; also channel -> count
--       7 users        beginning of the keys (hash, user -> nodes that have it), which go on with the channel
-- ARGV  1 app  2 prefix of channels  3 first and 4 last name, as ZRANGEBYLEX takes them
--       5 most channels, members, users and leaves that are looked at
-- reply TOO MANY, or OK; then epoch, for how many more ms what comes back after a loss may be missing; after OK
--       also the last event's place in the stream, the channels with subscriptions, those with members, each
--       with a list of its users, what waits out its grace, as it is called in pending, all user channels
local meta, pending, events, index, userTotals, announced, users = unpack(KEYS)
local app, prefix, limit = ARGV[1], ARGV[2], tonumber(ARGV[5])
local time = redis.call("TIME")
local nowMs = time[1] * 1000 + math.floor(time[2] / 1000)

local restoreUntilMs = tonumber(redis.call("HGET", meta, "#restore_until") or "0")
local restoreMs = string.format("%.0f", math.max(restoreUntilMs - nowMs, 0))
local epoch = redis.call("HGET", meta, "#epoch") or "0"

local looked = redis.call("HLEN", userTotals) + redis.call("ZCARD", pending) + redis.call("HLEN", announced)
looked = looked + redis.call("ZLEXCOUNT", index, ARGV[3], ARGV[4])
if looked > limit then return { "TOO MANY", epoch, restoreMs } end

local withMembers = {}
local totals = redis.call("HGETALL", userTotals)
for i = 1, #totals, 2 do
  if string.sub(totals[i], 1, #prefix) == prefix then
    looked = looked + tonumber(totals[i + 1])
    withMembers[#withMembers + 1] = totals[i]
  end
end
if looked > limit then return { "TOO MANY", epoch, restoreMs } end

local members = {}
for _, channel in ipairs(withMembers) do
  members[#members + 1] = channel
  members[#members + 1] = redis.call("HKEYS", users .. channel)
end

local member, channel, leaving = "m\0" .. app .. "\0" .. prefix, "o\0" .. app .. "\0" .. prefix, {}
for _, item in ipairs(redis.call("ZRANGE", pending, 0, -1)) do
  local start = string.sub(item, 1, #member)
  if start == member or start == channel then leaving[#leaving + 1] = item end
end

local online = {}
for _, name in ipairs(redis.call("HKEYS", announced)) do
  if string.sub(name, 1, 1) == "#" then online[#online + 1] = name end
end

-- The stream stays when its last event is taken out, and keeps this. Where there is none nothing was decided yet.
local last = "0-0"
if redis.call("EXISTS", events) == 1 then
  local info = redis.call("XINFO", "STREAM", events)
  for i = 1, #info, 2 do
    if info[i] == "last-generated-id" then last = info[i + 1] end
  end
end
return { "OK", epoch, restoreMs, last, redis.call("ZRANGEBYLEX", index, ARGV[3], ARGV[4]), members, leaving, online }
