-- Leaves a wake-up in a list, unless one is there. KEYS: the list; and, if the list is that of a
-- partition, its counters, without which nothing is stored of the partition. ARGV: how many
-- milliseconds the list lives, or 0 for ever.
if KEYS[2] and redis.call('EXISTS', KEYS[2]) == 0 then
  return 0
end
if redis.call('LLEN', KEYS[1]) == 0 then
  redis.call('RPUSH', KEYS[1], 1)
  if ARGV[1] ~= '0' then
    redis.call('PEXPIRE', KEYS[1], ARGV[1])
  end
end
return 1
