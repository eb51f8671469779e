-- Moves events out of the partition's stream, or out of an app's holding lane, into the lanes that want them.
-- An event that is not in the source any more was moved before, so that sending it twice changes nothing.
--
-- KEYS  1 lease   string, the dispatcher that owns the partition
--       2 source  stream of events: the partition's, or the app's that is held
--       3 lanes   set, `<app>:<endpoint>` of the lanes with events
--       4 holds   set, apps with events in their holding lane
--       5 deads   set, `<app>:<endpoint>` of the endpoints with dead letters
--       6 tries   hash, `<app>:<endpoint>` -> `<first failure, ms>:<attempts>:<last status>`
--       7…        holding lane of each app, then lane of each endpoint, then dead letters of each endpoint
-- ARGV  1 owner   2 most events of a lane  3 most dead letters of an endpoint  4 held app, "" for the stream
--       5 number of apps  6 number of endpoints
--       7…        the apps, the endpoints, for each endpoint how many events of its lane's head are being read or
--                 sent, then for each event: its place in the source, its id, the number of its app, how many
--                 lanes (-1: hold it), their numbers
-- reply -1 another owns the partition; else events left in the source, how many were put into lanes, then for
--       each bound that was hit: number of the app or, negative, of the endpoint, events moved to the dead
--       letters, events dropped
local lease, source, lanes, holds, deads, tries = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local owner, maxEvents, maxDead, heldApp = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
local apps, endpoints = tonumber(ARGV[5]), tonumber(ARGV[6])
local MAX_BURIED = 500
if redis.call("GET", lease) ~= owner then return -1 end

local touchedHolds, touchedLanes, enqueued = {}, {}, 0

local function hold(app, ...)
  redis.call("XADD", KEYS[6 + app], "*", ...)
  redis.call("SADD", holds, ARGV[6 + app])
  touchedHolds[app] = true
end

local function enqueue(endpoint, ...)
  redis.call("XADD", KEYS[6 + apps + endpoint], "*", ...)
  touchedLanes[endpoint] = true
  enqueued = enqueued + 1
end

local at = 7 + apps + 2 * endpoints
while at <= #ARGV do
  local place, id, app, count = ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
  local entry = redis.call("XRANGE", source, place, place)[1]
  if entry then
    local f = {}
    for i = 1, #entry[2], 2 do f[entry[2][i]] = entry[2][i + 1] end
    -- Whose earlier events are held waits behind them.
    if count < 0 or heldApp == "" and redis.call("SISMEMBER", holds, ARGV[6 + app]) == 1 then
      hold(app, "i", id, "c", f.c, "t", f.t, "j", f.j)
    else
      for i = 1, count do
        enqueue(tonumber(ARGV[at + 3 + i]), "i", id, "c", f.c, "t", f.t, "j", f.j)
      end
    end
    redis.call("XDEL", source, place)
  end
  at = at + 4 + math.max(count, 0)
end

local left = redis.call("XLEN", source)
if heldApp ~= "" and left == 0 then
  redis.call("DEL", source)
  redis.call("SREM", holds, heldApp)
end

local reply = { left, enqueued }
for app in pairs(touchedHolds) do
  local dropped = redis.call("XTRIM", KEYS[6 + app], "MAXLEN", maxEvents)
  if dropped > 0 then
    for _, part in ipairs({ app, 0, dropped }) do reply[#reply + 1] = part end
  end
end
for endpoint in pairs(touchedLanes) do
  local name = ARGV[6 + apps + endpoint]
  local lane, dead = KEYS[6 + apps + endpoint], KEYS[6 + apps + endpoints + endpoint]
  redis.call("SADD", lanes, name)
  -- What is on its way may yet be delivered: the oldest behind it give way.
  local underWay = tonumber(ARGV[6 + apps + endpoints + endpoint])
  local length = redis.call("XLEN", lane)
  local excess = math.min(length - maxEvents, length - underWay, MAX_BURIED)
  if excess > 0 then
    local time = redis.call("TIME")
    local diedMs = string.format("%.0f", time[1] * 1000 + math.floor(time[2] / 1000))
    local status = string.match(redis.call("HGET", tries, name) or "", "^%d+:%d+:(.*)$") or ""
    local oldest = redis.call("XRANGE", lane, "-", "+", "COUNT", underWay + excess)
    for i = underWay + 1, underWay + excess do
      redis.call("XADD", dead, "*", "r", "overflow", "s", status, "d", diedMs, unpack(oldest[i][2]))
      redis.call("XDEL", lane, oldest[i][1])
    end
    redis.call("SADD", deads, name)
    local dropped = redis.call("XTRIM", dead, "MAXLEN", maxDead)
    for _, part in ipairs({ -endpoint, excess, dropped }) do reply[#reply + 1] = part end
  end
end
return reply
