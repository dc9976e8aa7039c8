-- Creates a queue, unless it is there. KEYS: its description, and where builds before format 3 kept it.
-- ARGV: the format, how many partitions, and whether the former queue is known to hold no job.
-- Answers the format and the number of partitions that it has, and the number that the former one has;
-- nothing is created beside one that may hold jobs.
local former = redis.call('HGET', KEYS[2], 'partitions')
local stored = redis.call('HMGET', KEYS[1], 'format', 'partitions')
if not stored[1] and (not former or ARGV[3] == '1') then
  redis.call('HSET', KEYS[1], 'format', ARGV[1], 'partitions', ARGV[2])
  stored = { ARGV[1], ARGV[2] }
end
return { stored[1], stored[2], former }
