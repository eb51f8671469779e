-- Of which epoch the partition's data is, and for how many more ms what comes back after a loss may be missing,
-- for the scripts that read and include this.
-- Uses   meta  hash, #epoch, #restore_until
local function epochAndRestoreMs()
  local time = redis.call("TIME")
  local nowMs = time[1] * 1000 + math.floor(time[2] / 1000)
  local restoreUntilMs = tonumber(redis.call("HGET", meta, "#restore_until") or "0")
  return redis.call("HGET", meta, "#epoch") or "0", string.format("%.0f", math.max(restoreUntilMs - nowMs, 0))
end
