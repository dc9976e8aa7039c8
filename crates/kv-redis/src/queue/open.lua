-- Creates a queue, unless it is there. KEYS: its description. ARGV: the format, how many partitions.
-- Answers the format and the number of partitions that it has.
local stored = redis.call('HMGET', KEYS[1], 'format', 'partitions')
if stored[1] then
  return stored
end
redis.call('HSET', KEYS[1], 'format', ARGV[1], 'partitions', ARGV[2])
return ARGV
