-- Moves the oldest events of the partition's stream into the lanes that their app and type tell, without their being
-- read before: route.lua is for an event of another app or type, with other fields or for a lane that is nearly full,
-- for what follows it, and for everything while an app is held. Sent twice it moves what comes next: whoever has not
-- heard the answer takes what it knows of the lanes for worthless.
--
-- KEYS  1 lease   string, the dispatcher that owns the partition
--       2 source  the partition's stream
--       3 lanes   set, `<app>:<endpoint>` of the lanes with events
--       4 holds   set, apps with events in their holding lane
--       5 meta    hash, #epoch
--       6…        lane of each endpoint
-- ARGV  1 owner   2 partition  3 most events of a lane  4 most events to move  5 number of endpoints
--       6…        `<app>:<endpoint>` of each endpoint, then for each way its app, its type, and the numbers of its
--                 endpoints, with commas
-- reply -1 another owns the partition; else events left in the source, then of each event that was moved
--       `<number of its way> <id> <json>\0<channel>`
local lease, source, lanes, holds, meta = unpack(KEYS, 1, 5)
local owner, partition, maxEvents, most = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local endpoints = tonumber(ARGV[5])
if redis.call("GET", lease) ~= owner then return -1 end
local epoch = redis.call("HGET", meta, "#epoch")
if not epoch or redis.call("EXISTS", holds) == 1 then return { redis.call("XLEN", source) } end

local ways = {}
for i = 6 + endpoints, #ARGV, 3 do
  local app, kind, numbers = unpack(ARGV, i, i + 2)
  local way = { number = (i - 3 - endpoints) / 3, lanes = {}, names = {}, hasRoom = true }
  for number in string.gmatch(numbers, "%d+") do
    local lane = KEYS[5 + number]
    way.lanes[#way.lanes + 1], way.names[#way.names + 1] = lane, ARGV[5 + number]
    way.hasRoom = way.hasRoom and redis.call("XLEN", lane) + most <= maxEvents
  end
  ways[app] = ways[app] or {}
  ways[app][kind] = way
end

-- An entry that another release has made may have other fields.
local function wayOf(fields)
  local isUsual = #fields == 8 and fields[1] == "a" and fields[3] == "c" and fields[5] == "t" and fields[7] == "j"
  local way = isUsual and ways[fields[2]] and ways[fields[2]][fields[6]]
  return way and way.hasRoom and way
end

local reply, isTold, prefix = { 0 }, {}, epoch .. "-" .. partition .. "-"
for _, entry in ipairs(redis.call("XRANGE", source, "-", "+", "COUNT", most)) do
  local id, fields = prefix .. entry[1], entry[2]
  local way = wayOf(fields)
  if not way then break end
  local channel, kind, json = fields[4], fields[6], fields[8]
  for i, lane in ipairs(way.lanes) do
    redis.call("XADD", lane, "*", "i", id, "c", channel, "t", kind, "j", json)
    if not isTold[lane] then redis.call("SADD", lanes, way.names[i]) end
    isTold[lane] = true
  end
  reply[#reply + 1] = way.number .. " " .. id .. " " .. json .. "\0" .. channel
end
reply[1] = redis.call("XLEN", source) - (#reply - 1)
if #reply > 1 then redis.call("XTRIM", source, "MAXLEN", reply[1]) end
return reply
