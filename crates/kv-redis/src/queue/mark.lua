-- Leaves a wake-up in a list, unless one is there. KEYS: the list. ARGV: how many milliseconds the
-- list lives, or 0 for ever.
if redis.call('LLEN', KEYS[1]) == 0 then
  redis.call('RPUSH', KEYS[1], 1)
  if ARGV[1] ~= '0' then
    redis.call('PEXPIRE', KEYS[1], ARGV[1])
  end
end
return 1
