-- Acks one job, then claims one. KEYS: ready, bodies, leases. ARGV: a lease in microseconds, then
-- the job to ack, if there is one. Answers the job and its body, or nothing.
local acked = ARGV[2]
if acked and redis.call('ZREM', KEYS[3], acked) == 1 then
  redis.call('HDEL', KEYS[2], acked)
end
local id = redis.call('ZPOPMIN', KEYS[1])[1]
if not id then
  return {}
end
local time = redis.call('TIME')
redis.call('ZADD', KEYS[3], string.format('%.0f', time[1] * 1000000 + time[2] + ARGV[1]), id)
return { id, redis.call('HGET', KEYS[2], id) }
