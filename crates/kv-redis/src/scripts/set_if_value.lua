-- KEYS[1]  the key
-- ARGV[1]  the value that it must hold
-- ARGV[2]  the new value
-- ARGV[3…] what SET takes behind them: PX and a time, KEEPTTL, or nothing
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[2], unpack(ARGV, 3))
return 1
