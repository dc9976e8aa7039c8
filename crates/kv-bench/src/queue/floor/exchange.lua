-- Acks jobs, then claims some. KEYS: ready, bodies, leases. ARGV: a lease in microseconds, how
-- many to claim at most, then the jobs to ack. Answers the jobs, then their bodies.
if #ARGV > 2 then
  if redis.call('ZREM', KEYS[3], unpack(ARGV, 3)) == #ARGV - 2 then
    redis.call('HDEL', KEYS[2], unpack(ARGV, 3))
  else
    -- A job whose lease had ended waits again, and keeps its body.
    for i = 3, #ARGV do
      if not redis.call('ZSCORE', KEYS[1], ARGV[i]) then
        redis.call('HDEL', KEYS[2], ARGV[i])
      end
    end
  end
end
local popped = redis.call('ZPOPMIN', KEYS[1], ARGV[2])
if #popped == 0 then
  return {}
end
local time = redis.call('TIME')
local till = string.format('%.0f', time[1] * 1000000 + time[2] + ARGV[1])
local ids, leases = {}, {}
for i = 1, #popped, 2 do
  ids[#ids + 1] = popped[i]
  leases[i], leases[i + 1] = till, popped[i]
end
redis.call('ZADD', KEYS[3], unpack(leases))
local bodies = redis.call('HMGET', KEYS[2], unpack(ids))
for i = 1, #bodies do
  ids[#ids + 1] = bodies[i]
end
return ids
