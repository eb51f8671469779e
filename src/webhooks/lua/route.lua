-- Moves events out of the partition's stream, or out of an app's holding lane, into the lanes that want them.
-- An event that is not in the source any more was moved before, so that sending it twice changes nothing.
--
-- KEYS  1 lease   string, the dispatcher that owns the partition
--       2 source  stream of events: the partition's, or the app's that is held
--       3 lanes   set, `<app>:<endpoint>` of the lanes with events
--       4 holds   set, apps with events in their holding lane
--       5 deads   set, `<app>:<endpoint>` of the endpoints with dead letters
--       6 tries   hash, `<app>:<endpoint>` -> `<first failure, ms>:<attempts>:<last status>`
--       7…        holding lane of each app, then lane of each endpoint, then dead letters of each endpoint, then
--                 meta (optional: hash, #epoch; events of another epoch than their ids tell stay where they are),
--                 then losses (optional: hash, what was given up: see write-off.lua)
-- ARGV  1 owner   2 most events of a lane  3 most dead letters of an endpoint  4 held app, "" for the stream
--       5 number of apps  6 number of endpoints
--       7…        the apps, the endpoints, for each endpoint how many events of its lane's head are being read or
--                 sent, then for each event, in the order of the source: its place in it, its id, and its route:
--                 the number of its app and those of its lanes, with commas; "<app>,-": hold it
-- reply -1 another owns the partition, or its epoch is another; else events left in the source, how many were put
--       into lanes, then for each bound that was hit: number of the app or, negative, of the endpoint, events
--       moved to the dead letters, events dropped
local lease, source, lanes, holds, deads, tries = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local owner, maxEvents, maxDead, heldApp = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
local apps, endpoints = tonumber(ARGV[5]), tonumber(ARGV[6])
local MAX_BURIED = 500
if redis.call("GET", lease) ~= owner then return -1 end

local first = 7 + apps + 2 * endpoints
local meta, losses = KEYS[first], KEYS[first + 1]
if meta and heldApp == "" and ARGV[first] then
  local epoch = redis.call("HGET", meta, "#epoch") or ""
  if string.match(ARGV[first + 1], "^%d+") ~= epoch then return -1 end
end

local oldest = #ARGV < first and {} or redis.call("XRANGE", source, "-", ARGV[#ARGV - 2])
local entries = {}
for _, entry in ipairs(oldest) do entries[entry[1]] = entry[2] end

-- Further fields may come with a later release, behind these: they stay with the event.
local OWN = { a = true, i = true, c = true, t = true, j = true }
local function field(entry, usualAt, name)
  if entry[usualAt] == name then return entry[usualAt + 1] end
  for i = 1, #entry, 2 do
    if entry[i] == name then return entry[i + 1] end
  end
end
local function add(lane, id, channel, kind, json, entry)
  local fields = { "i", id, "c", channel, "t", kind, "j", json }
  for i = 1, #entry, 2 do
    if not OWN[entry[i]] then
      fields[#fields + 1] = entry[i]
      fields[#fields + 1] = entry[i + 1]
    end
  end
  redis.call("XADD", lane, "*", unpack(fields))
end

local isHeld, touchedHolds, touchedLanes, enqueued, moved = {}, {}, {}, 0, {}
local function mustWait(app)
  if isHeld[app] == nil then isHeld[app] = redis.call("SISMEMBER", holds, ARGV[6 + app]) == 1 end
  return isHeld[app]
end

local routes = {}
local function routeOf(text)
  if not routes[text] then
    local numbers = {}
    for number in string.gmatch(text, "%d+") do numbers[#numbers + 1] = tonumber(number) end
    routes[text] = { app = table.remove(numbers, 1), endpoints = numbers, holds = string.sub(text, -1) == "-" }
  end
  return routes[text]
end

for at = first, #ARGV, 3 do
  local place, id, route = ARGV[at], ARGV[at + 1], routeOf(ARGV[at + 2])
  local entry = entries[place]
  if entry then
    local channel, kind, json = field(entry, 3, "c"), field(entry, 5, "t"), field(entry, 7, "j")
    local app, isUsual = route.app, #entry == 8
    -- Whose earlier events are held waits behind them.
    if route.holds or heldApp == "" and mustWait(app) then
      add(KEYS[6 + app], id, channel, kind, json, entry)
      if not touchedHolds[app] then redis.call("SADD", holds, ARGV[6 + app]) end
      isHeld[app], touchedHolds[app] = true, true
    else
      for _, endpoint in ipairs(route.endpoints) do
        local lane = KEYS[6 + apps + endpoint]
        if isUsual then
          redis.call("XADD", lane, "*", "i", id, "c", channel, "t", kind, "j", json)
        else
          add(lane, id, channel, kind, json, entry)
        end
        touchedLanes[endpoint] = true
        enqueued = enqueued + 1
      end
    end
    moved[#moved + 1] = place
  end
end

local left = redis.call("XLEN", source) - #moved
if #moved > 0 and #moved == #oldest then
  -- The whole head: a tenth of the time that XDEL takes.
  redis.call("XTRIM", source, "MAXLEN", left)
elseif #moved > 0 then
  redis.call("XDEL", source, unpack(moved))
end
if heldApp ~= "" and left == 0 then
  redis.call("DEL", source)
  redis.call("SREM", holds, heldApp)
end

local function note(what, name, events)
  if losses and events > 0 then redis.call("HINCRBY", losses, what .. ":overflow:" .. name, events) end
end
local reply = { left, enqueued }
for app in pairs(touchedHolds) do
  local dropped = redis.call("XTRIM", KEYS[6 + app], "MAXLEN", maxEvents)
  if dropped > 0 then
    note("held", ARGV[6 + app], dropped)
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
    note("buried", name, excess)
    note("dropped", name, dropped)
    for _, part in ipairs({ -endpoint, excess, dropped }) do reply[#reply + 1] = part end
  end
end
return reply
