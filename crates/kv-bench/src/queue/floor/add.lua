-- Adds jobs. KEYS: ready, bodies, the last number given. ARGV: the bodies.
local last = redis.call('INCRBY', KEYS[3], #ARGV)
local places, bodies = {}, {}
for i = 1, #ARGV do
  local id = string.format('%.0f', last - #ARGV + i)
  places[2 * i - 1], places[2 * i] = id, id
  bodies[2 * i - 1], bodies[2 * i] = id, ARGV[i]
end
redis.call('ZADD', KEYS[1], unpack(places))
redis.call('HSET', KEYS[2], unpack(bodies))
return last
