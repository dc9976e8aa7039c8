-- Makes up to 100 jobs claimable again whose lease has ended. KEYS: ready, leases.
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000000 + time[2])
local ids = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, 100)
for _, id in ipairs(ids) do
  redis.call('ZREM', KEYS[2], id)
  redis.call('ZADD', KEYS[1], id, id)
end
return #ids
