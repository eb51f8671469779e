-- Says which schema and how many partitions the deployment has; the first node to come decides.
-- Safe to send twice.
--
-- KEYS  1 meta        hash, schema and partitions: the one key outside the versioned prefix
-- ARGV  1 schema      of the node that joins
--       2 partitions  of the node that joins
-- reply schema and partitions of the deployment, as text
local meta = KEYS[1]
local schema, partitions = ARGV[1], ARGV[2]
-- A full Redis lets in who has nothing to write.
if redis.call("HLEN", meta) < 2 then
  redis.call("HSETNX", meta, "schema", schema)
  redis.call("HSETNX", meta, "partitions", partitions)
end
return redis.call("HMGET", meta, "schema", "partitions")
