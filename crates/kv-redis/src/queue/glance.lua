-- Looks into partitions for what nobody was told of. KEYS: of each partition its CONTROL, READY, TIMED
-- and LEASES. Answers the numbers of those, from 0 in the order of the keys, in which a job is
-- claimable, due or past its lease, but for paused ones.
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]

local function has_come(set)
  local time = redis.call('ZRANGE', set, 0, 0, 'WITHSCORES')[2]
  return time and tonumber(time) <= now
end

local function has_work(control, ready, timed, leases)
  return (redis.call('ZCARD', ready) > 0 or has_come(timed) or has_come(leases))
      and redis.call('HGET', control, 'paused') ~= '1'
end

local found = {}
for at = 1, #KEYS, 4 do
  if has_work(KEYS[at], KEYS[at + 1], KEYS[at + 2], KEYS[at + 3]) then
    found[#found + 1] = (at - 1) / 4
  end
end
return found
