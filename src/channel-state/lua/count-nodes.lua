-- How many nodes hear a topic: those that live and have registered everywhere. Changes nothing.
--
-- KEYS  1 topic
-- ARGV  1 NUMSUB or SHARDNUMSUB
-- reply their number
return redis.call("PUBSUB", ARGV[1], KEYS[1])[2]
