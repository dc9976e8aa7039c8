-- KEYS[1]  the counter
-- ARGV[1]  what to add
-- ARGV[2]  how many milliseconds the key lives if this creates it
-- The sum is answered as text: as a Lua number it would be rounded above 2^53.
local created = redis.call('EXISTS', KEYS[1]) == 0
redis.call('INCRBY', KEYS[1], ARGV[1])
if created then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return redis.call('GET', KEYS[1])
